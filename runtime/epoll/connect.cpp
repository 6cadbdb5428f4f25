#include <penstock/runtime/epoll/connect.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/socket_calls.h>

#include <cerrno>
#include <utility>

namespace penstock::epoll {

Connect::Connect(Reactor& reactor, OwnedFd fd, ConnectHandler handler)
    : reactor_(reactor),
      fd_(std::move(fd)),
      handler_(std::move(handler)),
      failure_(reactor, [this] { finish(errorOf(error_)); }) {}

PendingConnect& Connect::open(Reactor& reactor, OwnedFd fd, const sockaddr* to, socklen_t length,
                              ConnectHandler handler) {
  auto* connect = new Connect(reactor, std::move(fd), std::move(handler));
  reactor.adopt(*connect);
  int result;
  do {
    result = socketCalls().connect(connect->fd_.get(), to, length);
  } while (result == -EINTR);
  if (result == 0 || result == -EINPROGRESS) {
    result = reactor.tryAddHandler(connect->fd_.get(), EPOLLOUT, *connect);
  }
  if (result == 0) return *connect;
  connect->error_ = result;
  connect->failure_.arm(Duration::zero());
  return *connect;
}

void Connect::ready(std::uint32_t) {
  if (!handler_) return;
  int error = 0;
  socklen_t length = sizeof error;
  socketCalls().getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  finish(errorOf(-error));
}

void Connect::cancel() {
  if (!handler_ || reactor_.inForkedChild()) return;
  handler_ = nullptr;
  giveUp();
  close();
}

void Connect::disconnectFromReactor() noexcept {
  giveUp();
  finish(ConnectionError::kLost);
}

// Copies of the descriptor, as in a child that was forked meanwhile, would go on connecting.
void Connect::giveUp() noexcept { socketCalls().shutdown(fd_.get(), SHUT_RDWR); }

// While there are copies, closing our number does not end the watch (epoll(7)).
void Connect::close() noexcept {
  failure_.cancel();
  if (fd_) reactor_.removeHandler(std::move(fd_)).reset();
  reactor_.retire(*this);
}

void Connect::finish(std::error_code why) {
  ConnectHandler handler = std::move(handler_);
  OwnedFd fd = why ? OwnedFd() : reactor_.removeHandler(std::move(fd_));
  close();
  try {
    handler(why, std::move(fd));
  } catch (...) {
    reactor_.logException("a connect handler");
  }
}

}  // namespace penstock::epoll
