#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/tests/support/stream_pair.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <cerrno>

namespace penstock::testing {
namespace {

int checked(int result, const char* what) {
  if (result < 0) throwErrno(result, what);
  return result;
}

}  // namespace

SocketAddress anyAddress(SocketFamily family) {
  if (family == SocketFamily::kUnix) {
    const sa_family_t autobind = AF_UNIX;  // See unix(7).
    return {reinterpret_cast<const sockaddr*>(&autobind), sizeof autobind};
  }
  sockaddr_in internet{};
  internet.sin_family = AF_INET;
  internet.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return {reinterpret_cast<const sockaddr*>(&internet), sizeof internet};
}

OwnedFd makeSocket(Reactor& reactor, SocketFamily family) {
  const int domain = family == SocketFamily::kTcp ? AF_INET : AF_UNIX;
  const int type = SOCK_STREAM | reactor.socketFlags();
  OwnedFd fd(checked(socketCalls().socket(domain, type, 0), "socket"));
  if (family == SocketFamily::kTcp) {
    const int on = 1;
    checked(socketCalls().setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on),
            "TCP_NODELAY");
  }
  return fd;
}

OwnedFd makeListeningSocket(Reactor& reactor, SocketFamily family, int backlog) {
  OwnedFd fd = makeSocket(reactor, family);
  const SocketAddress address = anyAddress(family);
  checked(socketCalls().bind(fd.get(), address.data(), address.length()), "bind");
  checked(socketCalls().listen(fd.get(), backlog), "listen");
  return fd;
}

SocketAddress addressOf(int fd) {
  return SocketAddress::filledBy([fd](sockaddr* address, socklen_t* length) {
    return checked(socketCalls().getsockname(fd, address, length), "getsockname");
  });
}

void setSendBuffer(int fd, int bytes) {
  checked(socketCalls().setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), "SO_SNDBUF");
}

void setReceiveBuffer(int fd, int bytes) {
  checked(socketCalls().setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes), "SO_RCVBUF");
}

void useSmallBuffers(int fd) {
  constexpr int kSmall = 16384;  // Of which the kernel makes 32,768.
  setSendBuffer(fd, kSmall);
  setReceiveBuffer(fd, kSmall);
}

SocketPair::SocketPair(int flags) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, fds) < 0) {
    throwErrno(-errno, "socketpair");
  }
  near.reset(fds[0]);
  far.reset(fds[1]);
}

void SocketPair::sendFromFar(std::string_view text) const {
  const ssize_t sent = ::send(far.get(), text.data(), text.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(text.size())) throwErrno(-errno, "send");
}

OwnedFd connectRaw(const SocketAddress& to, const Prepare& prepare) {
  OwnedFd fd(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throwErrno(-errno, "socket");
  if (prepare) prepare(fd.get());
  if (::connect(fd.get(), to.data(), to.length()) < 0) throwErrno(-errno, "connect");
  return fd;
}

}  // namespace penstock::testing
