#include <penstock/runtime/escaped.h>
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

}  // namespace

void Attempt::stop() {
  if (!state_) return;
  state_->failed = nullptr;
  Connector* connector = std::exchange(state_->connector, nullptr);
  if (connector && connector->state() == Connector::State::kConnecting) {
    connector->stopConnecting();
  }
}

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
  if (endpoint.host_.empty()) throw std::invalid_argument(inQuotes(text) + " names no host");
  if (endpoint.address_.port() == 0) throw std::invalid_argument(inQuotes(text) + " names no port");
  return endpoint;
}

Listener& Endpoint::listen(Reactor& reactor, ProtocolFactory factory) const {
  if (!address_.isUnix()) return listenTcp(reactor, address_, std::move(factory));
  return listenUnix(reactor, address_, std::move(factory));
}

Attempt Endpoint::connect(Reactor& reactor, ProtocolFactory factory,
                          ConnectFailedHandler failed) const {
  auto state = std::make_shared<Attempt::State>();
  state->failed = std::move(failed);
  auto make = [state, factory = std::move(factory)]() mutable {
    state->connector = nullptr;
    return factory();
  };
  auto giveUp = [state](std::error_code why) {
    state->connector = nullptr;
    if (state->failed) std::exchange(state->failed, nullptr)(why);
  };
  state->connector = address_.isUnix()
                         ? &connectUnix(reactor, address_, std::move(make), giveUp)
                         : &connectTcp(reactor, host_, address_.port(), std::move(make), giveUp);
  return Attempt(std::move(state));
}

}  // namespace penstock::tools
