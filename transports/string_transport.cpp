#include <penstock/transports/string_transport.h>

#include <cstdio>
#include <exception>
#include <stdexcept>

namespace penstock {

void StringTransport::write(Bytes bytes) { value_ += asText(bytes); }

void StringTransport::write(Buffer buffer) { value_ += asText(buffer.bytes()); }

void StringTransport::writeSequence(std::span<const Bytes> parts) {
  for (const Bytes part : parts) write(part);
}

Buffer StringTransport::keep(Bytes bytes) {
  return Buffer(std::vector<std::byte>(bytes.begin(), bytes.end()));
}

void StringTransport::registerProducer(Producer& producer, Production production) {
  if (producer_) {
    throw std::logic_error(
        "registerProducer: a producer is registered already; call unregisterProducer() first");
  }
  producer_ = &producer;
  streamingProducer_ = production == Production::kStreaming;
}

void StringTransport::unregisterProducer() {
  if (!producer_) throw std::logic_error("unregisterProducer: no producer is registered");
  producer_ = nullptr;
  streamingProducer_ = false;
}

void StringTransport::abortConnection() {
  aborting_ = true;
  loseConnection();
}

void StringTransport::stopConsuming() {
  unregisterProducer();
  loseConnection();
}

void StringTransport::pauseProducing() {
  changeProducerState(ProducerState::kPaused, "pauseProducing");
}

void StringTransport::resumeProducing() {
  changeProducerState(ProducerState::kProducing, "resumeProducing");
}

void StringTransport::stopProducing() {
  changeProducerState(ProducerState::kStopped, "stopProducing");
}

void StringTransport::changeProducerState(ProducerState state, const char* call) {
  if (disconnecting_) throw std::logic_error(std::string(call) + ": after loseConnection()");
  if (producerState_ == ProducerState::kStopped) {
    throw std::logic_error(std::string(call) + ": after stopProducing()");
  }
  producerState_ = state;
}

Reactor& StringTransport::reactor() const noexcept {
  if (reactor_) return *reactor_;
  std::fputs("StringTransport::reactor: this one was made without a reactor\n", stderr);
  std::terminate();
}

}  // namespace penstock
