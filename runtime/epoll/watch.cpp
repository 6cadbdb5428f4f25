#include <penstock/runtime/epoll/watch.h>
#include <penstock/runtime/errors.h>

#include <cerrno>
#include <utility>

namespace penstock::epoll {

Watch::Watch(Reactor& reactor, int fd, Interest interest, WatchHandler handler)
    : WatchBase(reactor, fd, interest, std::move(handler)), reactor_(reactor) {}

void Watch::runDeferred() {
  if (!alwaysReady_) return apply();
  WatchBase::ready(true, true, false);
  if (wantsAny()) update();
}

// An error or hang-up is reported whatever is asked for, and would be in each turn: so what nobody
// wants is not in the list at all.
void Watch::apply() {
  if (!wantsAny()) return release();
  const std::uint32_t events =
      (interest().readable ? EPOLLIN | EPOLLRDHUP : 0U) | (interest().writable ? EPOLLOUT : 0U);
  const int result = added_ ? reactor_.changeHandler(descriptor(), events, *this)
                            : reactor_.tryAddHandler(descriptor(), events, *this);
  added_ = added_ || result == 0;
  // As poll(2) has it, a file that does not know of waiting is always ready.
  alwaysReady_ = result == -EPERM;
  if (alwaysReady_) return update();
  if (result < 0) failed(errorOf(result));
}

void Watch::ready(std::uint32_t events) {
  WatchBase::ready((events & (EPOLLIN | EPOLLRDHUP)) != 0, (events & EPOLLOUT) != 0,
                   (events & (EPOLLERR | EPOLLHUP)) != 0);
}

void Watch::release() noexcept {
  if (std::exchange(added_, false)) reactor_.removeHandler(descriptor());
}

}  // namespace penstock::epoll
