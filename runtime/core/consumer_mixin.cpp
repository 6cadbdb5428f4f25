#include <penstock/runtime/core/consumer_mixin.h>

#include <algorithm>
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
  unflushed_ = true;
  startWriting();  // First: a throwing producer must not leave the bytes unsent.
  if (isOverLimit()) return exceedLimit();
  if (producer_ && streamingProducer_ && !producerPaused_ && isSendBufferFull()) {
    producerPaused_ = true;
    producer_->pauseProducing();
  }
}

bool ConsumerMixin::isOverLimit() const noexcept {
  if (aborting_) return false;
  return (outgoing_.size() > bufferLimit_ && bufferLimit_ != kNoLimit) ||
         outgoing_.pool().isOverLimit();
}

void ConsumerMixin::exceedLimit() {
  outgoing_.pool().condemned(outgoing_.size());
  abortFor(AbortReason::kBufferLimit);
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
  producer.consumerAttached(*this);
  if (!streamingProducer_) producer.resumeProducing();
}

void ConsumerMixin::unregisterProducer() {
  detachProducer();
  producerPaused_ = false;
  if (closeIsDue()) startWriting();
}

void ConsumerMixin::producerFinished() {
  if (closeIsDue()) startWriting();
}

void ConsumerMixin::detachProducer() noexcept {
  if (Producer* producer = std::exchange(producer_, nullptr)) producer->consumerDetached(*this);
}

bool ConsumerMixin::closeIsDue() const noexcept {
  return connected_ && (disconnecting_ || (writeDisconnecting_ && !writeDisconnected_));
}

ConsumerMixin::AfterWrite ConsumerMixin::wrote(std::size_t count) {
  outgoing_.consume(count);
  uncondemn(count);
  if (outgoing_.empty()) return drained();
  if (producerPaused_ && !aborting_ && outgoing_.size() <= lowWaterMark_) resumeProducer();
  return disconnected_ ? AfterWrite::kIdle : AfterWrite::kWriteMore;
}

// The choice is exclusive: after a resume nothing else is looked at in this round. Whatever the
// producer did in it has called startWriting() for its own next round.
ConsumerMixin::AfterWrite ConsumerMixin::drained() {
  const bool waitsForProducer = producerMayWrite();
  if (waitsForProducer && (!streamingProducer_ || producerPaused_)) {
    if (!aborting_) resumeProducer();
    return AfterWrite::kIdle;
  }
  if (waitsForProducer) return AfterWrite::kIdle;
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
  if (producerMayWrite()) watchForHangUp();
  startWriting();
  disconnecting_ = true;
  consumers_.producerFinished();
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

void ConsumerMixin::abortFor(AbortReason reason) {
  if (disconnected_ || aborting_) return;
  abortReason_ = reason;
  abortConnection();
}

void ConsumerMixin::stopConsuming() {
  unregisterProducer();
  loseConnection();
}

void ConsumerMixin::pauseProducing() {
  if (!connected_) return;
  heldByConsumer_ = true;
  stopReading();
  watchForHangUp();
}

void ConsumerMixin::resumeProducing() {
  heldByConsumer_ = false;
  readIfAllowed();
}

void ConsumerMixin::pauseReading() {
  if (!connected_) return;
  heldByApplication_ = true;
  stopReading();
  watchForHangUp();
}

void ConsumerMixin::resumeReading() {
  heldByApplication_ = false;
  readIfAllowed();
}

void ConsumerMixin::readIfAllowed() {
  const bool held = heldByConsumer_ || heldByApplication_;
  if (connected_ && !disconnecting_ && !held) startReading();
}

Producer* ConsumerMixin::setDisconnected() noexcept {
  disconnected_ = true;
  connected_ = false;
  Producer* const producer = producer_;
  detachProducer();
  return producer;
}

void ConsumerMixin::setInputEnded() {
  inputEnded_ = true;
  consumers_.producerFinished();
}

void ConsumerMixin::setDeliveryLimit(std::size_t bytes) {
  if (bytes == 0) throw std::invalid_argument("a delivery limit is at least 1 byte");
  deliveryLimit_ = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, kNoLimit));
}

void ConsumerMixin::setBufferLimit(std::size_t bytes) {
  bufferLimit_ = static_cast<std::uint32_t>(std::min<std::size_t>(bytes, kNoLimit));
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
