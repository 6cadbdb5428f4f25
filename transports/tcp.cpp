#include <penstock/runtime/errors.h>
#include <penstock/runtime/reactor.h>
#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/transports/tcp.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace penstock {
namespace {

void requireInternet(const Address& address, const char* call) {
  if (address.isInternet()) return;
  throw std::invalid_argument(std::string(call) + " " + address.text() +
                              ": expected an IPv4 or IPv6 address");
}

void requireStream(int fd, bool listening, const std::string& call) {
  const std::string what = call + " descriptor " + std::to_string(fd);
  const int type = getSocketOption(fd, SOL_SOCKET, SO_TYPE, what.c_str());
  if (type != SOCK_STREAM) throw std::invalid_argument(what + ": it is not a stream socket");
  const int listens = getSocketOption(fd, SOL_SOCKET, SO_ACCEPTCONN, what.c_str());
  if (listening && !listens) throw std::invalid_argument(what + ": it is not listening");
  if (!listening && listens) throw std::invalid_argument(what + ": it is listening");
}

SocketAddress requirePeer(int fd) {
  int result = 0;
  const SocketAddress peer = SocketAddress::filledBy([&](sockaddr* address, socklen_t* length) {
    return result = socketCalls().getpeername(fd, address, length);
  });
  if (result < 0) throwErrno(result, "adoptStream descriptor " + std::to_string(fd));
  return peer;
}

void closeOnExec(int fd) {
  const int result = descriptorCalls().setCloseOnExec(fd);
  if (result < 0) throwErrno(result, "fcntl FD_CLOEXEC");
}

}  // namespace

Listener& listenTcp(Reactor& reactor, const Address& at, ProtocolFactory factory,
                    const ListenOptions& options) {
  requireInternet(at, "listenTcp");
  Listener& listener =
      reactor.openListener(listeningSocket(reactor, at, options), std::move(factory));
  listener.setMostConnections(options.mostConnections);
  return listener;
}

Listener& listenTcp(Reactor& reactor, std::string_view at, ProtocolFactory factory,
                    const ListenOptions& options) {
  return listenTcp(reactor, Address::parse(at), std::move(factory), options);
}

Connector& connectTcp(Reactor& reactor, std::string_view hostAndPort, ProtocolFactory factory,
                      ConnectFailedHandler failed, const ConnectOptions& options) {
  HostAndPort place = splitHostAndPort(hostAndPort);
  if (place.host.empty() || place.host == "*" || place.port == 0) {
    throw std::invalid_argument("connectTcp \"" + std::string(hostAndPort) +
                                "\": expected a host and a port to connect to, HOST:PORT or "
                                "[IPV6]:PORT");
  }
  return connectTcp(reactor, std::move(place.host), place.port, std::move(factory),
                    std::move(failed), options);
}

Connector& connectTcp(Reactor& reactor, std::string host, std::uint16_t port,
                      ProtocolFactory factory, ConnectFailedHandler failed,
                      const ConnectOptions& options) {
  return Connector::connectTo(reactor, std::move(host), port,
                              {std::move(factory), std::move(failed)}, options);
}

Connector& connectTcp(Reactor& reactor, const Address& to, ProtocolFactory factory,
                      ConnectFailedHandler failed, const ConnectOptions& options) {
  requireInternet(to, "connectTcp");
  return Connector::connectTo(reactor, to, {std::move(factory), std::move(failed)}, options);
}

Listener& adoptListener(Reactor& reactor, OwnedFd fd, ProtocolFactory factory) {
  requireStream(fd.get(), true, "adoptListener");
  closeOnExec(fd.get());
  return reactor.openListener(std::move(fd), std::move(factory));
}

Transport& adoptStream(Reactor& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol,
                       const SocketAddress& peer) {
  if (!protocol) throw std::invalid_argument("adoptStream: the protocol is null");
  requireStream(fd.get(), false, "adoptStream");
  const SocketAddress known = peer.empty() ? requirePeer(fd.get()) : peer;
  closeOnExec(fd.get());
  return reactor.openStream(std::move(fd), std::move(protocol), known);
}

}  // namespace penstock
