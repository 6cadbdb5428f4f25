#include <penstock/runtime/reactor.h>
#include <penstock/tools/endpoint.h>
#include <penstock/transports/resolver.h>
#include <penstock/transports/tcp.h>
#include <penstock/transports/unix_socket.h>

#include <stdexcept>
#include <utility>

namespace penstock::tools {
namespace {

bool isUnix(const std::string& text) { return text.starts_with("unix:"); }

Address lookUp(const HostAndPort& place) {
  const Resolution found = lookUpHost(place.host);
  if (!found.error) return found.addresses.front().withPort(place.port);
  throw std::invalid_argument("cannot resolve '" + place.host + "': " + found.error.message());
}

}  // namespace

Endpoint::Endpoint(const std::string& text) : text_(text) {
  if (isUnix(text)) {
    address_ = Address::parse(text);
    return;
  }
  const HostAndPort place = splitHostAndPort(text);
  const bool anyInterface = place.host.empty() || place.host == "*";
  address_ = anyInterface ? Address::any(place.port) : lookUp(place);
  if (!anyInterface) host_ = place.host;
}

Endpoint Endpoint::toListen(const std::string& text) { return Endpoint(text); }

Endpoint Endpoint::toConnect(const std::string& text) {
  Endpoint endpoint(text);
  if (endpoint.address_.isUnix()) return endpoint;
  if (endpoint.host_.empty()) throw std::invalid_argument("'" + text + "' names no host");
  if (endpoint.address_.port() == 0) throw std::invalid_argument("'" + text + "' names no port");
  return endpoint;
}

Listener& Endpoint::listen(Reactor& reactor, ProtocolFactory factory) const {
  if (!address_.isUnix()) return listenTcp(reactor, address_, std::move(factory));
  return listenUnix(reactor, address_, std::move(factory));
}

Connector& Endpoint::connect(Reactor& reactor, ProtocolFactory factory,
                             ConnectFailedHandler failed) const {
  if (address_.isUnix()) {
    return connectUnix(reactor, address_, std::move(factory), std::move(failed));
  }
  return connectTcp(reactor, host_, address_.port(), std::move(factory), std::move(failed));
}

}  // namespace penstock::tools
