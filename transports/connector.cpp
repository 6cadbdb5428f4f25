#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/transports/connector.h>
#include <penstock/transports/resolver.h>
#include <penstock/transports/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <utility>

namespace penstock {

// The user's protocol, seen through: tells the connector when the connection begins and ends.
class Connector::Tracked final : public Protocol {
 public:
  Tracked(Connector& connector, std::unique_ptr<Protocol> protocol) noexcept
      : connector_(&connector), protocol_(std::move(protocol)) {}

  // Before connectionLost() only if another protocol has taken its place.
  ~Tracked() override {
    if (connector_ && connector_->tracked_ == this) connector_->over();
  }

  void connectionMade(Transport& transport) override {
    connector_->tracked_ = this;
    connector_->transport_ = &transport;
    connector_->state_ = State::kConnected;
    protocol_->makeConnection(transport);
  }
  void dataReceived(Bytes bytes) override { protocol_->dataReceived(bytes); }
  void flushed() override { protocol_->flushed(); }
  bool isHalfCloseable() const noexcept override { return protocol_->isHalfCloseable(); }
  void readConnectionLost() override { protocol_->readConnectionLost(); }
  void writeConnectionLost() override { protocol_->writeConnectionLost(); }
  void connectionLost(std::error_code why) override {
    if (connector_) std::exchange(connector_, nullptr)->over();
    protocol_->connectionLost(why);
  }

  void forgetConnector() noexcept { connector_ = nullptr; }

 private:
  Connector* connector_;
  std::unique_ptr<Protocol> protocol_;
};

namespace {

const ConnectOptions& checked(const ConnectOptions& options) {
  if (options.timeout >= Duration::zero()) return options;
  throw std::invalid_argument("a connect timeout cannot be negative");
}

Connector::Outcome checked(Connector::Outcome outcome) {
  if (outcome.factory) return outcome;
  throw std::invalid_argument("the protocol factory of a connect is empty");
}

OwnedFd preparedSocket(Reactor& reactor, const Address& to, const ConnectOptions& options) {
  OwnedFd fd = streamSocket(reactor, to.family());
  if (to.isInternet() && options.noDelay) {
    setSocketOption(fd.get(), IPPROTO_TCP, TCP_NODELAY, 1, "setsockopt TCP_NODELAY");
  }
  if (options.bindAddress) bindSocket(fd.get(), *options.bindAddress);
  return fd;
}

// The kernel picks the local port: it may pick the one on this machine that is asked for and that
// nobody listens at. TCP then joins the socket to itself (simultaneous open, RFC 9293).
bool isConnectedToItself(int fd, const Address& to) {
  if (!to.isInternet()) return false;
  sockaddr_storage local{}, peer{};
  auto* address = reinterpret_cast<sockaddr*>(&local);
  socklen_t length = sizeof local;
  if (socketCalls().getsockname(fd, address, &length) < 0) return false;
  const Address here = Address::fromSockaddr(address, length);
  if (here.port() != to.port()) return false;
  address = reinterpret_cast<sockaddr*>(&peer);
  length = sizeof peer;
  if (socketCalls().getpeername(fd, address, &length) < 0) return false;
  return here == Address::fromSockaddr(address, length);
}

}  // namespace

Connector::Connector(Reactor& reactor, Outcome outcome, const ConnectOptions& options)
    : reactor_(ReactorBase::of(reactor)),
      outcome_(checked(std::move(outcome))),
      options_(checked(options)),
      deadline_(reactor_.deadlineAfter(options.timeout)),
      timer_(reactor, [this] { timerFired(); }),
      why_(ConnectionError::kUnresolved) {
  reactor_.adopt(*this);
}

Connector::~Connector() = default;

Connector& Connector::connectTo(Reactor& reactor, const Address& to, Outcome outcome,
                                const ConnectOptions& options) {
  auto* connector = new Connector(reactor, std::move(outcome), options);
  connector->begin([&] { connector->resolved({}, {to}); });
  return *connector;
}

Connector& Connector::connectTo(Reactor& reactor, std::string host, std::uint16_t port,
                                Outcome outcome, const ConnectOptions& options) {
  auto* connector = new Connector(reactor, std::move(outcome), options);
  connector->begin([&] { connector->lookUp(std::move(host), port); });
  return *connector;
}

// No memory: who asked is told by the exception, and by nothing else.
template <class Begin>
void Connector::begin(Begin begin) {
  try {
    begin();
  } catch (...) {
    cancel();
    throw;
  }
}

void Connector::cancel() noexcept {
  if (over_ || reactor_.inForkedChild()) return;
  stopTrying();
  if (tracked_) tracked_->forgetConnector();
  over();
}

void Connector::stopConnecting() {
  if (state_ != State::kConnecting) {
    throw std::logic_error("Connector::stopConnecting: it is not connecting");
  }
  failSoon(ConnectionError::kStopped);
}

void Connector::disconnect() {
  if (state_ == State::kConnecting) return stopConnecting();
  if (transport_) transport_->loseConnection();
}

void Connector::lookUp(std::string host, std::uint16_t port) {
  if (options_.timeout > Duration::zero()) timer_.arm(options_.timeout);
  Resolver& resolver = options_.resolver ? *options_.resolver : Resolver::shared();
  try {
    lookup_ = &resolver.resolve(reactor_, std::move(host), port,
                                [this](std::error_code why, std::vector<Address> addresses) {
                                  resolved(why, std::move(addresses));
                                });
  } catch (...) {
    failSoon(errorOfException(ConnectionError::kResolverFailed));
  }
}

void Connector::resolved(std::error_code why, std::vector<Address> addresses) {
  lookup_ = nullptr;
  if (why) return failSoon(why);
  addresses_ = std::move(addresses);
  tryNext();
}

void Connector::tryNext() {
  while (next_ < addresses_.size()) {
    try {
      return attempt(addresses_[next_++]);
    } catch (...) {
      why_ = errorOfException(ConnectionError::kLost);
    }
  }
  failSoon(why_);
}

void Connector::attempt(const Address& to) {
  OwnedFd fd = preparedSocket(reactor_, to, options_);
  if (options_.timeout > Duration::zero()) timer_.arm(fairShare());
  attempt_ = &reactor_.openConnect(
      std::move(fd), to.data(), to.length(),
      [this](std::error_code why, OwnedFd connected) { attemptEnded(why, std::move(connected)); });
}

// For the address that is being tried: an equal part of the time, among it and those behind it.
Duration Connector::fairShare() const {
  const Duration left = std::max(Duration::zero(), deadline_ - reactor_.now());
  return left / static_cast<Duration::rep>(addresses_.size() - next_ + 1);
}

void Connector::attemptEnded(std::error_code why, OwnedFd fd) {
  attempt_ = nullptr;
  timer_.cancel();
  if (!why && isConnectedToItself(fd.get(), addresses_[next_ - 1])) why = errorOf(-ECONNREFUSED);
  if (!why) return open(std::move(fd));
  why_ = why;
  tryNext();
}

void Connector::open(OwnedFd fd) {
  std::unique_ptr<Protocol> protocol = makeProtocol();
  if (over_ || state_ != State::kConnecting) return;  // The factory has called it off.
  if (!protocol) return failSoon(why_);
  try {
    reactor_.openStream(std::move(fd), std::make_unique<Tracked>(*this, std::move(protocol)),
                        addresses_[next_ - 1]);
  } catch (...) {
    failSoon(errorOfException(ConnectionError::kLost));
  }
}

std::unique_ptr<Protocol> Connector::makeProtocol() noexcept {
  why_ = ConnectionError::kStopped;
  try {
    return outcome_.factory(addresses_[next_ - 1]);
  } catch (...) {
    reactor_.logException("a protocol factory");
    why_ = ConnectionError::kProtocolFailed;
    return nullptr;
  }
}

void Connector::timerFired() {
  if (state_ == State::kDisconnected) return fail();
  if (lookup_) return failSoon(ConnectionError::kTimedOut);
  stopTrying();
  why_ = ConnectionError::kTimedOut;
  tryNext();
}

void Connector::stopTrying() noexcept {
  timer_.cancel();
  if (lookup_) std::exchange(lookup_, nullptr)->cancel();
  if (attempt_) std::exchange(attempt_, nullptr)->cancel();
}

void Connector::failSoon(std::error_code why) {
  stopTrying();
  state_ = State::kDisconnected;
  why_ = why;
  timer_.arm(Duration::zero());
}

void Connector::fail() noexcept {
  over();
  if (!outcome_.failed) return;
  try {
    outcome_.failed(why_);
  } catch (...) {
    reactor_.logException("a connect failure handler");
  }
}

void Connector::over() noexcept {
  over_ = true;
  state_ = State::kDisconnected;
  transport_ = nullptr;
  tracked_ = nullptr;
  reactor_.retire(*this);
}

// The connection hears of it by itself; a failure that is on its way is told now.
void Connector::disconnectFromReactor() noexcept {
  if (state_ == State::kConnected) return cancel();
  if (state_ == State::kConnecting) why_ = ConnectionError::kLost;
  stopTrying();
  state_ = State::kDisconnected;
  fail();
}

}  // namespace penstock
