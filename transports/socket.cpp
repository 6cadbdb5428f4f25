#include <penstock/runtime/errors.h>
#include <penstock/runtime/reactor.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/transports/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <stdexcept>
#include <string>

namespace penstock {
namespace {

std::string familyName(int family) {
  switch (family) {
    case AF_INET:
      return "AF_INET";
    case AF_INET6:
      return "AF_INET6";
    case AF_UNIX:
      return "AF_UNIX";
    default:
      return "of family " + std::to_string(family);
  }
}

void prepareInternetListener(int fd, const Address& at, const ListenOptions& options) {
  setSocketOption(fd, SOL_SOCKET, SO_REUSEADDR, 1, "setsockopt SO_REUSEADDR");
  if (options.reusePort) {
    setSocketOption(fd, SOL_SOCKET, SO_REUSEPORT, 1, "setsockopt SO_REUSEPORT");
  }
  if (at.family() == AF_INET6) {
    setSocketOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6Only, "setsockopt IPV6_V6ONLY");
  }
  if (options.noDelay) {
    setSocketOption(fd, IPPROTO_TCP, TCP_NODELAY, 1, "setsockopt TCP_NODELAY");
  }
}

}  // namespace

OwnedFd streamSocket(const Reactor& reactor, int family) {
  const int fd = socketCalls().socket(family, SOCK_STREAM | reactor.socketFlags(), 0);
  if (fd < 0) throwErrno(fd, "socket " + familyName(family));
  return OwnedFd(fd);
}

void bindSocket(int fd, const Address& at) {
  const int result = socketCalls().bind(fd, at.data(), at.length());
  if (result < 0) throwErrno(result, "bind " + at.text());
}

OwnedFd listeningSocket(const Reactor& reactor, const Address& at, const ListenOptions& options) {
  OwnedFd fd = streamSocket(reactor, at.family());
  if (at.isInternet()) prepareInternetListener(fd.get(), at, options);
  bindSocket(fd.get(), at);
  const int result = socketCalls().listen(fd.get(), options.backlog);
  if (result < 0) throwErrno(result, "listen " + at.text());
  return fd;
}

void setSocketOption(int fd, int level, int option, int value, const char* call) {
  const int result = socketCalls().setsockopt(fd, level, option, &value, sizeof value);
  if (result < 0) throwErrno(result, call);
}

int getSocketOption(int fd, int level, int option, const char* call) {
  int value = 0;
  socklen_t length = sizeof value;
  const int result = socketCalls().getsockopt(fd, level, option, &value, &length);
  if (result < 0) throwErrno(result, call);
  return value;
}

// In connectionLost() a family may still hold the descriptor for an operation that is ending.
int openDescriptor(const Transport& transport, const char* call) {
  const int fd = transport.disconnected() ? -1 : transport.descriptor();
  if (fd < 0) throw std::logic_error(std::string(call) + ": there is no open descriptor");
  return fd;
}

void setTcpNoDelay(const Transport& transport, bool enabled) {
  const int fd = openDescriptor(transport, "setTcpNoDelay");
  setSocketOption(fd, IPPROTO_TCP, TCP_NODELAY, enabled, "setsockopt TCP_NODELAY");
}

bool getTcpNoDelay(const Transport& transport) {
  const int fd = openDescriptor(transport, "getTcpNoDelay");
  return getSocketOption(fd, IPPROTO_TCP, TCP_NODELAY, "getsockopt TCP_NODELAY") != 0;
}

void setTcpKeepAlive(const Transport& transport, bool enabled) {
  const int fd = openDescriptor(transport, "setTcpKeepAlive");
  setSocketOption(fd, SOL_SOCKET, SO_KEEPALIVE, enabled, "setsockopt SO_KEEPALIVE");
}

bool getTcpKeepAlive(const Transport& transport) {
  const int fd = openDescriptor(transport, "getTcpKeepAlive");
  return getSocketOption(fd, SOL_SOCKET, SO_KEEPALIVE, "getsockopt SO_KEEPALIVE") != 0;
}

}  // namespace penstock
