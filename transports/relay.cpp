#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/errors.h>
#include <penstock/transports/relay.h>
#include <penstock/transports/relay_end.h>
#include <penstock/transports/relay_state.h>

#include <memory>
#include <stdexcept>
#include <utility>

namespace penstock {
namespace {

void check(const Transport& transport) {
  if (!transport.connected() || transport.disconnecting() || transport.writeDisconnecting()) {
    throw std::logic_error("relay: both transports must be connected and not closing");
  }
  if (transport.producer()) {
    throw std::logic_error("relay: unregister the transports' producers first");
  }
  if (transport.inputEnded()) {
    throw std::logic_error("relay: the input of a transport has ended already");
  }
}

}  // namespace

bool Relay::active() const noexcept { return state_ && state_->active(); }

std::uint64_t Relay::bytesFromFirst() const noexcept { return state_ ? state_->passed(0) : 0; }
std::uint64_t Relay::bytesFromSecond() const noexcept { return state_ ? state_->passed(1) : 0; }

// What is called back may destroy this handle.
void Relay::stop() {
  if (const auto state = state_) state->stop();
}
void Relay::abort() {
  if (const auto state = state_) state->abort(make_error_code(ConnectionError::kAborted));
}

Relay relay(Transport& a, Transport& b, RelayOptions options) {
  check(a);
  check(b);
  if (&a == &b || &a.reactor() != &b.reactor()) {
    throw std::logic_error("relay: two different transports of one reactor are needed");
  }
  auto state = std::make_shared<RelayState>(ReactorBase::of(a.reactor()), std::move(options));
  auto endOfA = std::make_unique<RelayEnd>(a, state, 0);
  auto endOfB = std::make_unique<RelayEnd>(b, state, 1);
  RelayEnd& ofA = *endOfA;
  RelayEnd& ofB = *endOfB;
  RelayEnd::join(ofA, ofB);
  ofA.begin(a.replaceProtocol(std::move(endOfA)));
  ofB.begin(b.replaceProtocol(std::move(endOfB)));
  for (Transport* each : {&a, &b}) {
    each->resumeReading();
    each->resumeProducing();
  }
  return Relay(std::move(state));
}

}  // namespace penstock
