#include <penstock/runtime/parts/escaped.h>
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
  throw std::invalid_argument("cannot resolve " + inQuotes(place.host) + ": " +
                              found.error.message());
}

// What goes wrong is told with the option that named the place.
template <class Do>
decltype(auto) ofOption(const char* option, Do act) {
  try {
    return act();
  } catch (const std::exception& mistake) {
    throw std::runtime_error(std::string(option) + ": " + mistake.what());
  }
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

Endpoint Endpoint::toListen(const std::string& text) {
  return ofOption("--listen", [&] { return Endpoint(text); });
}

Endpoint Endpoint::toConnect(const std::string& text) {
  return ofOption("--to", [&] {
    Endpoint endpoint(text);
    endpoint.checkTarget();
    return endpoint;
  });
}

void Endpoint::checkTarget() const {
  if (address_.isUnix()) return;
  if (host_.empty()) throw std::invalid_argument(inQuotes(text_) + " names no host");
  if (address_.port() == 0) throw std::invalid_argument(inQuotes(text_) + " names no port");
}

Listener& Endpoint::listen(Reactor& reactor, ProtocolFactory factory) const {
  return ofOption("--listen", [&]() -> Listener& {
    if (!address_.isUnix()) return listenTcp(reactor, address_, std::move(factory));
    return listenUnix(reactor, address_, std::move(factory));
  });
}

Connector& Endpoint::connect(Reactor& reactor, ProtocolFactory factory,
                             ConnectFailedHandler failed) const {
  if (address_.isUnix()) {
    return connectUnix(reactor, address_, std::move(factory), std::move(failed));
  }
  return connectTcp(reactor, host_, address_.port(), std::move(factory), std::move(failed));
}

}  // namespace penstock::tools
