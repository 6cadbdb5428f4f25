#include <penstock/runtime/backends.h>
#include <penstock/runtime/epoll/reactor.h>
#include <penstock/runtime/system_calls.h>

#ifdef PENSTOCK_WITH_URING
#include <penstock/runtime/uring/probe.h>
#include <penstock/runtime/uring/probe_operations.h>
#include <penstock/runtime/uring/reactor.h>
#include <penstock/runtime/uring/ring.h>
#include <penstock/runtime/uring/ring_calls.h>
#endif

#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace penstock {
namespace {

constexpr const char* kVariable = "PENSTOCK_BACKEND";

#ifdef PENSTOCK_WITH_URING
constexpr bool kBuiltWithUring = true;
#else
constexpr bool kBuiltWithUring = false;
#endif

struct Usability {
  bool usable;
  std::string why;
  std::string remedy;
};

Usability uringUsability() {
#ifdef PENSTOCK_WITH_URING
  auto [usable, why, remedy] = uring::probeUsability();
  return {usable, std::move(why), std::move(remedy)};
#else
  return {false, "this build of penstock has no io_uring", "build it with -During=enabled"};
#endif
}

// Ends in the remedy: the words of the code, "operation not supported", would only blur it.
class BackendRefused final : public std::system_error {
 public:
  explicit BackendRefused(std::string message)
      : std::system_error(std::make_error_code(std::errc::not_supported)),
        message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

// Who wants which backend: the environment has the last word.
struct Wish {
  Backend backend;
  std::string asker;
};

Wish wishFor(Backend asked) {
  const char* variable = std::getenv(kVariable);
  if (variable && *variable) {
    return {backendNamed(variable), std::string(kVariable) + " asks for it"};
  }
  return {asked, "the program asked for it"};
}

// What a wish comes to where io_uring is found to be so.
BackendChoice choiceOf(const Wish& wish, const Usability& uring) {
  if (wish.backend == Backend::kAuto) {
    return {uring.usable ? Backend::kUring : Backend::kEpoll, uring.why};
  }
  if (uring.usable) return {Backend::kUring, wish.asker + "; " + uring.why};
  throw BackendRefused(wish.asker + ", but " + uring.why + "; " + uring.remedy);
}

BackendChoice choose(const Wish& wish) {
  if (wish.backend == Backend::kEpoll) return {Backend::kEpoll, wish.asker};
  return choiceOf(wish, uringUsability());
}

}  // namespace

std::string_view nameOf(Backend backend) noexcept {
  switch (backend) {
    case Backend::kAuto:
      return "auto";
    case Backend::kEpoll:
      return "epoll";
    case Backend::kUring:
      return "uring";
  }
  return "unknown";
}

Backend backendNamed(std::string_view name) {
  for (const Backend backend : {Backend::kAuto, Backend::kEpoll, Backend::kUring}) {
    if (name == nameOf(backend)) return backend;
  }
  throw std::invalid_argument("no backend is called '" + std::string(name) +
                              "'; use uring, epoll or auto");
}

BackendChoice chooseBackend(Backend asked) { return choose(wishFor(asked)); }

// A small ring that worked promises no large one: locked memory may be short.
std::unique_ptr<Reactor> Reactor::create(ReactorOptions options) {
  const Wish wish = wishFor(options.backend);
  BackendChoice choice = choose(wish);
#ifdef PENSTOCK_WITH_URING
  if (choice.backend == Backend::kUring) {
    try {
      auto ring = uring::Reactor::openRing(options);
      return std::make_unique<uring::Reactor>(std::move(options), std::move(ring));
    } catch (const std::system_error& refused) {
      auto [usable, why, remedy] = uring::explainRefusal(-refused.code().value());
      choice = choiceOf(wish, {usable, std::move(why), std::move(remedy)});
    }
  }
#endif
  auto reactor = std::make_unique<epoll::Reactor>(std::move(options));
  if (kBuiltWithUring && wish.backend == Backend::kAuto) {
    reactor->log("penstock: using epoll: " + choice.why);
  }
  return reactor;
}

namespace {

void addEpoll(std::vector<Capability>& list) {
  const OwnedFd epoll(std::max(-1, systemCalls().epollCreate()));
  list.push_back(
      {"epoll", static_cast<bool>(epoll), "the epoll backend", "use Linux 2.6.9 or newer"});
  epoll_event none{};
  const int exact = systemCalls().epollWait(epoll.get(), {&none, 1}, Duration(1));
  list.push_back({"epoll_pwait2", exact == 0, "timers finer than a millisecond on epoll",
                  "Linux 5.11 has it; without it timers are up to 1 ms late"});
}

// Both families relay bulk by them. An empty pipe has nothing to splice, where it may be tried.
void addSplicing(std::vector<Capability>& list) {
  constexpr const char* kUse = "relays whose bytes stay in the kernel";
  constexpr const char* kRemedy = "a filter stands in the way; without it relays copy";
  int from[2] = {-1, -1};
  int to[2] = {-1, -1};
  const bool pipes = systemCalls().pipe(from) == 0 && systemCalls().pipe(to) == 0;
  const OwnedFd ends[] = {OwnedFd(from[0]), OwnedFd(from[1]), OwnedFd(to[0]), OwnedFd(to[1])};
  const bool splices = pipes && systemCalls().splice(from[0], to[1], 1) == -EAGAIN;
  list.push_back({"pipe2", pipes, kUse, kRemedy});
  list.push_back({"splice", splices, kUse, kRemedy});
}

#ifdef PENSTOCK_WITH_URING
void addUring(std::vector<Capability>& list) {
  const uring::Usability ring = uring::probeUsability();
  list.push_back({"io_uring", ring.usable, "the io_uring backend", ring.remedy});
  if (ring.usable) {
    for (const uring::OperationProbe& operation : uring::probeOperations()) {
      list.push_back({operation.name, operation.works, operation.use,
                      "a newer kernel has it, or a filter stands in the way"});
    }
  }
  const std::uint32_t found = ring.usable ? uring::ringCalls().features() : 0;
  const auto add = [&](uring::Feature feature, const char* name, const char* use,
                       const char* remedy) {
    list.push_back({name, (found & feature) != 0, use, remedy});
  };
  add(uring::kDeferTaskrun, "IORING_SETUP_DEFER_TASKRUN",
      "completions that run only when the loop asks",
      "Linux 6.1 has it; without it the kernel interrupts the loop");
  add(uring::kWaitTimeout, "IORING_ENTER_EXT_ARG", "the timer deadline in the one kernel entry",
      "Linux 5.11 has it; without it a timeout is submitted each turn");
  add(uring::kBufferRing, "IORING_REGISTER_PBUF_RING", "receive buffers that connections share",
      "Linux 5.19 has it; without it a receive takes two operations");
  add(uring::kMultishotReceive, "IORING_RECV_MULTISHOT", "one submission for many receives",
      "Linux 6.0 has it; without it each receive is submitted");
  add(uring::kReceiveBundles, "IORING_RECVSEND_BUNDLE", "several buffers filled by one receive",
      "Linux 6.10 has it; without it large messages cost more");
  add(uring::kMultishotAccept, "IORING_ACCEPT_MULTISHOT", "one submission for many accepts",
      "Linux 5.19 has it; without it each accept is submitted");
  add(uring::kZeroCopySend, "IORING_OP_SEND_ZC", "sends without a copy, where they are asked for",
      "Linux 6.2 has it; without it every send copies");
}
#endif

}  // namespace

std::vector<Capability> capabilities() {
  std::vector<Capability> list;
  addEpoll(list);
  addSplicing(list);
#ifdef PENSTOCK_WITH_URING
  addUring(list);
#endif
  return list;
}

}  // namespace penstock
