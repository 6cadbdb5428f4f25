#include <penstock/runtime/backends.h>
#include <penstock/runtime/epoll/reactor.h>
#include <penstock/runtime/parts/escaped.h>
#include <penstock/runtime/system/pipe_calls.h>
#include <penstock/runtime/system/poll_calls.h>

#ifdef PENSTOCK_WITH_URING
#include <penstock/runtime/uring/probe.h>
#include <penstock/runtime/uring/probe_operations.h>
#include <penstock/runtime/uring/reactor.h>
#include <penstock/runtime/uring/ring.h>
#include <penstock/runtime/uring/ring_calls.h>
#endif

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

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

// Who wants which backend.
struct Wish {
  Backend backend;
  std::string asker;
};

Wish wishFor(Backend asked, bool environmentDecides) {
  const char* variable = std::getenv(kVariable);
  const bool heeded = asked == Backend::kAuto || environmentDecides;
  if (heeded && variable && *variable) {
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

#ifdef PENSTOCK_WITH_URING
using Ring = uring::Ring;

Usability usabilityOf(uring::Usability found) {
  return {found.usable, std::move(found.why), std::move(found.remedy)};
}

// What works in general, then the very ring that a reactor would have: locked memory may be short.
Usability openRing(const ReactorOptions& options, std::unique_ptr<Ring>& ring) {
  uring::Usability found = uring::probeUsability();
  if (!found.usable) return usabilityOf(std::move(found));
  try {
    ring = uring::Reactor::openRing(options);
    return usabilityOf(std::move(found));
  } catch (const std::system_error& refused) {
    return usabilityOf(uring::explainRefusal(-refused.code().value()));
  }
}
#else
struct Ring {};

Usability openRing(const ReactorOptions&, std::unique_ptr<Ring>&) {
  return {false, "this build of penstock has no io_uring",
          "build it with liburing 2.3 or newer (Debian: liburing-dev)"};
}
#endif

// What a reactor is made of. The one way to choose, for those who ask and those who create.
struct Opened {
  BackendChoice choice;
  std::unique_ptr<Ring> ring;  // Null: epoll.
};

Opened open(const Wish& wish, const ReactorOptions& options) {
  if (wish.backend == Backend::kEpoll) return {{Backend::kEpoll, wish.asker}, nullptr};
  std::unique_ptr<Ring> ring;
  const Usability uring = openRing(options, ring);
  return {choiceOf(wish, uring), std::move(ring)};
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
  throw std::invalid_argument("no backend is called " + inQuotes(name) +
                              "; use uring, epoll or auto");
}

BackendChoice chooseBackend(Backend asked) {
  return open(wishFor(asked, false), ReactorOptions{}).choice;
}

std::unique_ptr<Reactor> Reactor::create(ReactorOptions options) {
  const Wish wish = wishFor(options.backend, options.environmentDecides);
  Opened opened = open(wish, options);
#ifdef PENSTOCK_WITH_URING
  if (opened.ring) {
    return std::make_unique<uring::Reactor>(std::move(options), std::move(opened.ring));
  }
#endif
  auto reactor = std::make_unique<epoll::Reactor>(std::move(options));
  if (kBuiltWithUring && wish.backend == Backend::kAuto) {
    const std::string line = "penstock: using epoll: " + opened.choice.why;
    reactor->log({LogLevel::kInfo, line});
  }
  return reactor;
}

namespace {

void addEpoll(std::vector<Capability>& list) {
  const OwnedFd epoll(std::max(-1, pollCalls().epollCreate()));
  list.push_back(
      {"epoll", static_cast<bool>(epoll), "the epoll backend", "use Linux 2.6.9 or newer"});
  epoll_event none{};
  const int exact = pollCalls().epollWait(epoll.get(), {&none, 1}, Duration(1));
  list.push_back({"epoll_pwait2", exact == 0, "timers finer than a millisecond on epoll",
                  "Linux 5.11 has it; without it timers are up to 1 ms late"});
}

// Both families relay bulk by them. An empty pipe has nothing to splice, where it may be tried.
void addSplicing(std::vector<Capability>& list) {
  constexpr const char* kUse = "relays whose bytes stay in the kernel";
  constexpr const char* kRemedy = "a filter stands in the way; without it relays copy";
  int from[2] = {-1, -1};
  int to[2] = {-1, -1};
  const bool pipes = pipeCalls().pipe(from) == 0 && pipeCalls().pipe(to) == 0;
  const OwnedFd ends[] = {OwnedFd(from[0]), OwnedFd(from[1]), OwnedFd(to[0]), OwnedFd(to[1])};
  const bool splices = pipes && pipeCalls().splice(from[0], to[1], 1) == -EAGAIN;
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
  const std::uint32_t found = uring::ringCalls().features();
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
