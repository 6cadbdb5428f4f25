#include <penstock/runtime/errors.h>
#include <penstock/runtime/reactor.h>
#include <penstock/transports/resolver.h>

#include <netdb.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <utility>

namespace penstock {
namespace {

constexpr auto kRetryHandOver = std::chrono::milliseconds(1);

class Request;

// What the loop and a thread share of one look-up.
struct Shared {
  std::mutex mutex;
  Reactor* reactor = nullptr;  // Guarded; null once nobody wants the result.
  Request* request = nullptr;  // The loop's thread only.
  Resolution result;           // Written before it is handed over.

  bool wanted() {
    const std::lock_guard lock(mutex);
    return reactor != nullptr;
  }
};

// The loop's side.
class Request final : public PendingLookup, public ReactorObject {
 public:
  Request(Reactor& reactor, std::uint16_t port, ResolveHandler handler)
      : reactor_(reactor),
        port_(port),
        handler_(std::move(handler)),
        shared_(std::make_shared<Shared>()),
        soon_(reactor, [this] { finish(std::move(shared_->result)); }) {
    shared_->reactor = &reactor;
    shared_->request = this;
    reactor.adopt(*this);
  }

  const std::shared_ptr<Shared>& shared() const noexcept { return shared_; }

  void finishSoon(Resolution result) {
    shared_->result = std::move(result);
    soon_.arm(Duration::zero());
  }

  void finish(Resolution result) noexcept {
    release();
    ResolveHandler handler = std::move(handler_);
    for (Address& address : result.addresses) address = address.withPort(port_);
    try {
      handler(result.error, std::move(result.addresses));
    } catch (...) {
      reactor_.logException("a resolve handler");
    }
  }

  void cancel() override {
    if (handler_) release();
    handler_ = nullptr;
  }

  void disconnectFromReactor() noexcept override { finish({ConnectionError::kLost, {}}); }
  bool inUseByKernel() const noexcept override { return false; }

 private:
  // A thread that is about to hand over holds the lock, so the reactor is there while it does.
  void release() noexcept {
    soon_.cancel();
    shared_->request = nullptr;
    {
      const std::lock_guard lock(shared_->mutex);
      shared_->reactor = nullptr;
    }
    reactor_.retire(*this);
  }

  Reactor& reactor_;
  const std::uint16_t port_;
  ResolveHandler handler_;  // Empty once it was called.
  std::shared_ptr<Shared> shared_;
  Timer soon_;
};

// False: the reactor's queue of calls is full.
bool tryHandOver(const std::shared_ptr<Shared>& shared) {
  const std::lock_guard lock(shared->mutex);
  if (!shared->reactor) return true;
  return shared->reactor->callFromThread([shared] {
    if (shared->request) shared->request->finish(std::move(shared->result));
  });
}

void lookUpFor(const std::shared_ptr<Shared>& shared, const HostLookup& lookup,
               const std::string& host, const std::atomic<bool>& closing) noexcept {
  if (!shared->wanted()) return;
  try {
    shared->result = closing ? Resolution{std::make_error_code(std::errc::operation_canceled), {}}
                             : lookup(host);
  } catch (...) {  // A look-up of the user's, or no memory.
    shared->result = {ConnectionError::kUnresolved, {}};
  }
  while (!tryHandOver(shared) && !closing) std::this_thread::sleep_for(kRetryHandOver);
}

std::optional<Resolution> numericResolution(const std::string& host) {
  try {
    return Resolution{{}, {Address::numeric(host, 0)}};
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

std::error_code errorOfLookup(int result) {
  const int systemError = errno;
  if (result == EAI_SYSTEM) return {systemError, std::system_category()};
  if (result == EAI_MEMORY) return std::make_error_code(std::errc::not_enough_memory);
  return ConnectionError::kUnresolved;
}

}  // namespace

Resolution lookUpHost(const std::string& host) {
  if (host.empty() || host.find('\0') != std::string::npos) {
    return {ConnectionError::kUnresolved, {}};
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;  // Else each address comes once per type.
  addrinfo* found = nullptr;
  const int result = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (result != 0 && host == "localhost") return {{}, {Address::loopback(0)}};
  if (result != 0) return {errorOfLookup(result), {}};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  Resolution resolution;
  for (const addrinfo* each = found; each; each = each->ai_next) {
    const Address address = Address::fromSockaddr(each->ai_addr, each->ai_addrlen);
    if (address.isInternet()) resolution.addresses.push_back(address);
  }
  if (resolution.addresses.empty()) resolution.error = ConnectionError::kUnresolved;
  return resolution;
}

Resolver::Resolver(HostLookup lookup, std::size_t threads)
    : lookup_(std::move(lookup)), pool_(threads, kMostWaiting) {}

Resolver::~Resolver() { closing_ = true; }

Resolver& Resolver::shared() {
  static Resolver* const resolver = new Resolver;
  return *resolver;
}

PendingLookup& Resolver::resolve(Reactor& reactor, std::string host, std::uint16_t port,
                                 ResolveHandler handler) {
  auto* request = new Request(reactor, port, std::move(handler));
  if (auto resolution = numericResolution(host)) {
    request->finishSoon(*std::move(resolution));
    return *request;
  }
  const bool queued = pool_.submit([this, shared = request->shared(), host = std::move(host)] {
    lookUpFor(shared, lookup_, host, closing_);
  });
  if (!queued) {
    const auto busy = std::make_error_code(std::errc::resource_unavailable_try_again);
    request->finishSoon({busy, {}});
  }
  return *request;
}

}  // namespace penstock
