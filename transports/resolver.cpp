#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/core/reactor_object.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/timer.h>
#include <penstock/transports/fork_gate.h>
#include <penstock/transports/lookup_queue.h>
#include <penstock/transports/resolver.h>

#include <netdb.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <utility>

namespace penstock {
namespace {

// The loop's side of a look-up.
class Request final : public PendingLookup, public ReactorObject, public LookupClient {
 public:
  Request(Reactor& reactor, std::uint16_t port, ResolveHandler handler)
      : reactor_(ReactorBase::of(reactor)),
        port_(port),
        handler_(std::move(handler)),
        soon_(reactor, [this] { finish(std::move(known_)); }) {
    reactor_.adopt(*this);
  }

  void finishSoon(Resolution result) {
    known_ = std::move(result);
    soon_.arm(Duration::zero());
  }

  // False: too many wait.
  bool submitTo(std::shared_ptr<LookupQueue> queue, std::string host) {
    lookup_ = queue->submit(reactor_, *this, std::move(host));
    if (lookup_) queue_ = std::move(queue);
    return lookup_ != nullptr;
  }

  void lookedUp(Resolution result, std::exception_ptr thrown) noexcept override {
    if (thrown) logThrown(std::move(thrown));
    finish(std::move(result));
  }

  void cancel() override {
    if (handler_) release();
    handler_ = nullptr;
  }

  void disconnectFromReactor() noexcept override { finish({ConnectionError::kLost, {}}); }
  bool inUseByKernel() const noexcept override { return false; }

 private:
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

  void logThrown(std::exception_ptr thrown) noexcept {
    try {
      std::rethrow_exception(std::move(thrown));
    } catch (...) {
      reactor_.logException("a host look-up");
    }
  }

  void release() noexcept {
    soon_.cancel();
    if (lookup_) queue_->abandon(*lookup_);
    reactor_.retire(*this);
  }

  ReactorBase& reactor_;
  const std::uint16_t port_;
  ResolveHandler handler_;  // Empty once it was called.
  std::shared_ptr<LookupQueue> queue_;
  std::shared_ptr<Lookup> lookup_;  // Null where no thread is needed.
  Resolution known_;                // Then, the result.
  Timer soon_;
};

std::optional<Resolution> numericResolution(const std::string& host) {
  try {
    return Resolution{{}, {Address::numeric(host, 0)}};
  } catch (const std::invalid_argument&) {
    return std::nullopt;
  }
}

// What never could run, or would let one reactor take everything.
ResolverOptions checked(ResolverOptions options) {
  if (!options.lookup) throw std::invalid_argument("Resolver: the look-up is empty");
  if (options.threads == 0 || options.threadsPerReactor == 0) {
    throw std::invalid_argument("Resolver: it needs at least one thread, also for each reactor");
  }
  if (options.mostWaitingPerReactor == 0) {
    throw std::invalid_argument("Resolver: at least one look-up must be allowed to wait");
  }
  const std::size_t mostOfOne = std::max<std::size_t>(options.threads - 1, 1);
  options.threadsPerReactor = std::min(options.threadsPerReactor, mostOfOne);
  options.mostThreads = std::max(options.mostThreads, options.threads);
  return options;
}

}  // namespace

std::error_code lookupError(int result, int systemError) noexcept {
  switch (result) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
      return ConnectionError::kUnresolved;
    case EAI_AGAIN:
      return ConnectionError::kUnresolvedForNow;
    case EAI_MEMORY:
      return std::make_error_code(std::errc::not_enough_memory);
    case EAI_SYSTEM:
      return {systemError, std::system_category()};
    default:
      return ConnectionError::kResolverFailed;
  }
}

Resolution lookUpHost(const std::string& host) {
  if (host.empty() || host.find('\0') != std::string::npos) {
    return {ConnectionError::kUnresolved, {}};
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;  // Else each address comes once per type.
  addrinfo* found = nullptr;
  int systemError = 0;
  const int result = [&] {
    const ForkGate gate;
    const int outcome = getaddrinfo(host.c_str(), nullptr, &hints, &found);
    systemError = errno;
    return outcome;
  }();
  if (result != 0 && host == "localhost") return {{}, {Address::loopback(0)}};
  if (result != 0) return {lookupError(result, systemError), {}};
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
  Resolution resolution;
  for (const addrinfo* each = found; each; each = each->ai_next) {
    const Address address = Address::fromSockaddr(each->ai_addr, each->ai_addrlen);
    if (address.isInternet()) resolution.addresses.push_back(address);
  }
  if (resolution.addresses.empty()) resolution.error = ConnectionError::kUnresolved;
  return resolution;
}

// What a process has open of a resolver; requests may outlive it.
class Resolver::Open {
 public:
  explicit Open(const ResolverOptions& options) : queue(std::make_shared<LookupQueue>(options)) {}
  ~Open() { queue->close(); }
  Open(const Open&) = delete;
  Open& operator=(const Open&) = delete;

  const std::shared_ptr<LookupQueue> queue;
};

Resolver::Resolver(ResolverOptions options) : options_(checked(std::move(options))) {}

Resolver::Resolver(HostLookup lookup) : Resolver(ResolverOptions{.lookup = std::move(lookup)}) {}

Resolver::Resolver(HostLookup lookup, std::size_t threads)
    : Resolver(ResolverOptions{.lookup = std::move(lookup), .threads = threads}) {}

Resolver::~Resolver() = default;

// No static object of a function: a child that was forked while one was made would wait for ever.
Resolver& Resolver::shared() {
  static constinit std::atomic<Resolver*> shared{nullptr};
  if (Resolver* resolver = shared.load(std::memory_order_acquire)) return *resolver;
  auto made = std::make_unique<Resolver>();
  Resolver* first = nullptr;
  return shared.compare_exchange_strong(first, made.get()) ? *made.release() : *first;
}

PendingLookup& Resolver::resolve(Reactor& reactor, std::string host, std::uint16_t port,
                                 ResolveHandler handler) {
  if (!handler) throw std::invalid_argument("Resolver::resolve: the handler is empty");
  auto* request = new Request(reactor, port, std::move(handler));
  try {
    if (auto resolution = numericResolution(host)) {
      request->finishSoon(*std::move(resolution));
      return *request;
    }
    Open& open = *open_.get([this] { return std::make_unique<Open>(options_); });
    if (!request->submitTo(open.queue, std::move(host))) {
      request->finishSoon({std::make_error_code(std::errc::resource_unavailable_try_again), {}});
    }
    return *request;
  } catch (...) {  // No memory: who asked is told by the exception, and by nothing else.
    request->cancel();
    throw;
  }
}

}  // namespace penstock
