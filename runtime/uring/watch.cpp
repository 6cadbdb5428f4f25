#include <penstock/runtime/errors.h>
#include <penstock/runtime/uring/watch.h>

#include <liburing.h>
#include <poll.h>

#include <cerrno>
#include <utility>

namespace penstock::uring {

Watch::Watch(Reactor& reactor, int fd, Interest interest, WatchHandler handler)
    : WatchBase(reactor, fd, interest, std::move(handler)), reactor_(reactor) {}

// A poll for one completion, asked for again after each: what is ready still is told again, on
// every kernel; a multishot tells of edges. One that waits for something else is ended first.
void Watch::runDeferred() {
  if (poll_.inFlight()) return reactor_.cancel(poll_);
  if (!wantsAny()) return;
  const auto events = static_cast<unsigned>((interest().readable ? POLLIN | POLLRDHUP : 0) |
                                            (interest().writable ? POLLOUT : 0));
  reactor_.submit(
      poll_, [&](io_uring_sqe& entry) { io_uring_prep_poll_add(&entry, descriptor(), events); });
}

void Watch::polled(int result, std::uint32_t) {
  if (over()) return;
  const bool again = result == -ECANCELED || result == -EINTR || result == -ENOMEM;
  if (result < 0 && !again) return failed(errorOf(result));
  if (result > 0) {
    WatchBase::ready((result & (POLLIN | POLLRDHUP)) != 0, (result & POLLOUT) != 0,
                     (result & (POLLERR | POLLHUP)) != 0);
  }
  if (!wantsAny()) return;
  if (result == -ENOMEM) return update();
  ListNode<InDeferred>::unlink();  // What the handler has changed is heeded here.
  runDeferred();
}

// At once: a poll in flight keeps the file open, and its owner may close it now.
void Watch::release() noexcept {
  Operation* const poll = &poll_;
  if (poll->inFlight()) reactor_.cancelNow({&poll, 1});
}

}  // namespace penstock::uring
