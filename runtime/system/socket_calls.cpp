#include <penstock/runtime/system/result_of.h>
#include <penstock/runtime/system/socket_calls.h>

namespace penstock {

int SocketCalls::socket(int domain, int type, int protocol) noexcept {
  return resultOf(::socket(domain, type, protocol));
}
int SocketCalls::bind(int fd, const sockaddr* address, socklen_t length) noexcept {
  return resultOf(::bind(fd, address, length));
}
int SocketCalls::listen(int fd, int backlog) noexcept { return resultOf(::listen(fd, backlog)); }
int SocketCalls::connect(int fd, const sockaddr* address, socklen_t length) noexcept {
  return resultOf(::connect(fd, address, length));
}
int SocketCalls::accept4(int fd, sockaddr* peer, socklen_t* length, int flags) noexcept {
  return resultOf(::accept4(fd, peer, length, flags));
}
int SocketCalls::getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
  return resultOf(::getsockname(fd, address, length));
}
int SocketCalls::getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
  return resultOf(::getpeername(fd, address, length));
}
int SocketCalls::setsockopt(int fd, int level, int name, const void* value, socklen_t n) noexcept {
  return resultOf(::setsockopt(fd, level, name, value, n));
}
int SocketCalls::getsockopt(int fd, int level, int name, void* value, socklen_t* n) noexcept {
  return resultOf(::getsockopt(fd, level, name, value, n));
}
int SocketCalls::shutdown(int fd, int how) noexcept { return resultOf(::shutdown(fd, how)); }

ssize_t SocketCalls::recv(int fd, MutableBytes into, int flags) noexcept {
  return resultOf(::recv(fd, into.data(), into.size(), flags));
}
ssize_t SocketCalls::sendmsg(int fd, std::span<const iovec> from, int flags) noexcept {
  if (from.size() == 1) return resultOf(::send(fd, from[0].iov_base, from[0].iov_len, flags));
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(from.data());
  message.msg_iovlen = from.size();
  return resultOf(::sendmsg(fd, &message, flags));
}

bool isUnixSocket(int fd) noexcept {
  int domain = AF_UNIX;
  socklen_t length = sizeof domain;
  socketCalls().getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
  return domain == AF_UNIX;
}

}  // namespace penstock
