#include <penstock/runtime/epoll/backend.h>
#include <penstock/runtime/epoll/reactor.h>
#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/system/poll_calls.h>

#include <algorithm>
#include <utility>

namespace penstock::epoll {
namespace {

class InWaiting final : public ReactorInWaiting {
 public:
  std::unique_ptr<penstock::Reactor> make(ReactorOptions options) && override {
    return std::make_unique<Reactor>(std::move(options));
  }
};

// It works wherever this library does; what else may be short, making one tells.
BackendOpening open(const ReactorOptions&) { return {std::make_unique<InWaiting>(), {}, {}}; }

void addCapabilities(std::vector<Capability>& list) {
  const OwnedFd epoll(std::max(-1, pollCalls().epollCreate()));
  list.push_back(
      {"epoll", static_cast<bool>(epoll), "the epoll backend", "use Linux 2.6.9 or newer"});
  epoll_event none{};
  const int exact = pollCalls().epollWait(epoll.get(), {&none, 1}, Duration(1));
  list.push_back({"epoll_pwait2", exact == 0, "timers finer than a millisecond on epoll",
                  "Linux 5.11 has it; without it timers are up to 1 ms late"});
}

}  // namespace

constinit const BackendRow kBackendRow{Backend::kEpoll, true, "epoll", &open, &addCapabilities};

}  // namespace penstock::epoll
