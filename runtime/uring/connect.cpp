#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/runtime/uring/connect.h>

#include <liburing.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace penstock::uring {

Connect::Connect(Reactor& reactor, OwnedFd fd, const sockaddr* to, socklen_t length,
                 ConnectHandler handler)
    : reactor_(reactor),
      fd_(std::move(fd)),
      handler_(std::move(handler)),
      length_(std::min<socklen_t>(length, sizeof to_)) {
  std::memcpy(&to_, to, length_);
}

PendingConnect& Connect::open(Reactor& reactor, OwnedFd fd, const sockaddr* to, socklen_t length,
                              ConnectHandler handler) {
  auto* connect = new Connect(reactor, std::move(fd), to, length, std::move(handler));
  reactor.adopt(*connect);
  reactor.submit(connect->connect_, [&](io_uring_sqe& entry) {
    io_uring_prep_connect(&entry, connect->fd_.get(),
                          reinterpret_cast<const sockaddr*>(&connect->to_), connect->length_);
  });
  return *connect;
}

void Connect::connected(int result, std::uint32_t) {
  if (handler_) return finish(errorOf(std::min(result, 0)));
  // Given up: copies of the descriptor, as in a child that was forked meanwhile, would go on
  // connecting.
  socketCalls().shutdown(fd_.get(), SHUT_RDWR);
}

void Connect::cancel() {
  if (!handler_ || reactor_.inForkedChild()) return;
  handler_ = nullptr;
  reactor_.cancel(connect_);
  reactor_.retire(*this);
}

void Connect::disconnectFromReactor() noexcept {
  reactor_.cancel(connect_);
  finish(ConnectionError::kLost);
}

// Before the completion the descriptor stays with this object, and closes with it.
void Connect::finish(std::error_code why) {
  ConnectHandler handler = std::move(handler_);
  OwnedFd fd = why ? OwnedFd() : std::move(fd_);
  reactor_.retire(*this);
  try {
    handler(why, std::move(fd));
  } catch (...) {
    reactor_.logException("a connect handler");
  }
}

}  // namespace penstock::uring
