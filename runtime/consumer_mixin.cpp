#include <penstock/runtime/consumer_mixin.h>

#include <limits>
#include <stdexcept>
#include <utility>

namespace penstock {
namespace {

std::uint32_t checkedMark(std::size_t bytes) {
  if (bytes > std::numeric_limits<std::uint32_t>::max()) {
    throw std::invalid_argument("a water mark is at most 4294967295 bytes");
  }
  return static_cast<std::uint32_t>(bytes);
}

}  // namespace

void ConsumerMixin::write(Bytes bytes) {
  if (!accepts() || bytes.empty()) return;
  outgoing_.append(bytes);
  bytesQueued();
}

void ConsumerMixin::write(Buffer buffer) {
  if (!accepts() || buffer.empty()) return;
  outgoing_.append(std::move(buffer));
  bytesQueued();
}

void ConsumerMixin::writeSequence(std::span<const Bytes> parts) {
  if (!accepts()) return;
  const std::size_t before = outgoing_.size();
  for (const Bytes part : parts) {
    if (!part.empty()) outgoing_.append(part);
  }
  if (outgoing_.size() > before) bytesQueued();
}

void ConsumerMixin::bytesQueued() {
  startWriting();  // First: a throwing producer must not leave the bytes unsent.
  if (producer_ && streamingProducer_ && !producerPaused_ && isSendBufferFull()) {
    producerPaused_ = true;
    producer_->pauseProducing();
  }
}

void ConsumerMixin::registerProducer(Producer& producer, Production production) {
  if (producer_) {
    throw std::logic_error(
        "registerProducer: a producer is registered already; call unregisterProducer() first");
  }
  if (disconnected_) return producer.stopProducing();
  producer_ = &producer;
  producerPaused_ = false;
  streamingProducer_ = production == Production::kStreaming;
  if (!streamingProducer_) producer.resumeProducing();
}

void ConsumerMixin::unregisterProducer() {
  producer_ = nullptr;
  producerPaused_ = false;
  const bool closePending = disconnecting_ || (writeDisconnecting_ && !writeDisconnected_);
  if (connected_ && closePending) startWriting();
}

ConsumerMixin::AfterWrite ConsumerMixin::wrote(std::size_t count) {
  outgoing_.consume(count);
  if (outgoing_.empty()) return drained();
  if (producerPaused_ && !aborting_ && outgoing_.size() <= lowWaterMark_) resumeProducer();
  return disconnected_ ? AfterWrite::kIdle : AfterWrite::kWriteMore;
}

// The choice is exclusive: after a resume nothing else is looked at in this round. Whatever the
// producer did in it has called startWriting() for its own next round.
ConsumerMixin::AfterWrite ConsumerMixin::drained() {
  if (producer_ && (!streamingProducer_ || producerPaused_)) {
    if (!aborting_) resumeProducer();
    return AfterWrite::kIdle;
  }
  if (disconnecting_) return mayClose() ? AfterWrite::kClose : AfterWrite::kIdle;
  if (writeDisconnecting_ && !writeDisconnected_ && restWritten()) {
    writeDisconnected_ = true;
    return AfterWrite::kHalfClose;
  }
  return AfterWrite::kIdle;
}

void ConsumerMixin::resumeProducer() {
  producerPaused_ = false;
  producer_->resumeProducing();
}

void ConsumerMixin::loseConnection() {
  if (!connected_ || disconnecting_) return;
  stopReading();
  if (writeDisconnected_ && !aborting_) return connectionLost({});
  startWriting();
  disconnecting_ = true;
}

void ConsumerMixin::loseWriteConnection() {
  if (!connected_ || writeDisconnected_) return;
  writeDisconnecting_ = true;
  startWriting();
}

void ConsumerMixin::abortConnection() {
  if (disconnected_ || aborting_) return;
  aborting_ = true;
  stopReading();
  startAborting();
}

void ConsumerMixin::stopConsuming() {
  unregisterProducer();
  loseConnection();
}

void ConsumerMixin::pauseProducing() {
  if (connected_) stopReading();
}

void ConsumerMixin::resumeProducing() {
  if (connected_ && !disconnecting_) startReading();
}

Producer* ConsumerMixin::setDisconnected() noexcept {
  disconnected_ = true;
  connected_ = false;
  return std::exchange(producer_, nullptr);
}

void ConsumerMixin::setHighWaterMark(std::size_t bytes) {
  if (bytes <= lowWaterMark_ && lowWaterMark_ > 0) {
    throw std::invalid_argument("the high-water mark must be above the low-water mark");
  }
  highWaterMark_ = checkedMark(bytes);
}

void ConsumerMixin::setLowWaterMark(std::size_t bytes) {
  if (bytes >= highWaterMark_ && bytes > 0) {
    throw std::invalid_argument("the low-water mark must be below the high-water mark");
  }
  lowWaterMark_ = checkedMark(bytes);
}

}  // namespace penstock
