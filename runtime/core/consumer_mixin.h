// ConsumerMixin: the producer/consumer state machine of every transport, once for all families.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/parts/write_buffer.h>
#include <penstock/runtime/transport.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <system_error>

namespace penstock {

// The whole write side: registration, high-water mark, pause, resume, drain, half-close and
// close-after-flush. It performs no I/O: it asks its subclass for startWriting(), and tells what
// to do when the subclass reports bytes as taken. docs/backpressure.md draws it.
// Twisted: abstract._ConsumerMixin and the write path of abstract.FileDescriptor.
class PENSTOCK_API ConsumerMixin : public Transport {
 public:
  using Transport::write;
  void write(Bytes bytes) final;
  void write(Buffer buffer) final;
  void writeSequence(std::span<const Bytes> parts) final;
  void registerProducer(Producer& producer, Production production) final;
  void unregisterProducer() final;
  void producerFinished() final;

  void loseConnection() final;
  void loseWriteConnection() final;
  void abortConnection() final;
  void stopConsuming() final;

  void pauseProducing() final;
  void resumeProducing() final;
  void stopProducing() final { loseConnection(); }
  bool hasFinished() const noexcept final {
    return disconnected_ || disconnecting_ || aborting_ || inputEnded_;
  }
  void consumerAttached(Consumer& consumer) noexcept final { consumers_.add(consumer); }
  void consumerDetached(Consumer& consumer) noexcept final { consumers_.remove(consumer); }

  void pauseReading() final;
  void resumeReading() final;
  void setDeliveryLimit(std::size_t bytes) final;
  Buffer keep(Bytes bytes) final { return outgoing_.pool().keep(bytes); }

  void setHighWaterMark(std::size_t bytes) final;
  void setLowWaterMark(std::size_t bytes) final;
  void setBufferLimit(std::size_t bytes) final;

  bool connected() const noexcept final { return connected_; }
  bool disconnecting() const noexcept final { return disconnecting_; }
  bool disconnected() const noexcept final { return disconnected_; }
  bool writeDisconnecting() const noexcept final { return writeDisconnecting_; }
  bool writeDisconnected() const noexcept final { return writeDisconnected_; }
  Producer* producer() const noexcept final { return producer_; }
  bool producerPaused() const noexcept final { return producerPaused_; }
  bool streamingProducer() const noexcept final { return streamingProducer_; }
  std::size_t bufferedBytes() const noexcept final { return outgoing_.size(); }
  bool inputEnded() const noexcept final { return inputEnded_; }

 protected:
  explicit ConsumerMixin(BufferPool& pool) noexcept : outgoing_(pool) {}
  ~ConsumerMixin() { uncondemn(outgoing_.size()); }

  // What a drained or half-drained buffer calls for.
  enum class AfterWrite { kWriteMore, kIdle, kHalfClose, kClose };

  // The kernel has taken the first `count` bytes (0: a close or half-close with nothing to send
  // has had its turn). May call resumeProducing() on the producer, which may do anything; look at
  // disconnected() before acting on the answer. At kHalfClose the caller shuts the sending side
  // down; at kClose it ends the connection cleanly.
  AfterWrite wrote(std::size_t count);

  // Whether all that was written has left; true once for each time.
  bool takeFlushed() noexcept {
    const bool flushed = unflushed_ && outgoing_.empty();
    if (flushed) unflushed_ = false;
    return flushed;
  }

  // The connection is there: writes are accepted from now on.
  void setConnected() noexcept { connected_ = true; }

  // The connection is over. Returns the producer that is to be told, which is not registered any
  // more; null if there was none.
  Producer* setDisconnected() noexcept;

  // Nothing will be received any more.
  void setInputEnded();

  // This is going away: no consumer waits for it any more.
  void leaveConsumers() { consumers_.unregisterProducer(); }

  // Whether the producer must hold. A transport that counts other things than bytes overrides it.
  virtual bool isSendBufferFull() const noexcept { return outgoing_.size() > highWaterMark_; }

  // A close or half-close is due and the buffer is empty: whether nothing is left to write
  // elsewhere either. False: startWriting() will be called when that is so.
  virtual bool restWritten() { return true; }

  // What a family must be able to do. None of these calls back.
  virtual void startReading() = 0;   // Deliver what is received.
  virtual void stopReading() = 0;    // Deliver nothing more, until startReading().
  virtual void watchForHangUp() {}   // Reading is off for long: a reset must be heard all the same.
  virtual void startWriting() = 0;   // Flush at the end of the turn, even if nothing is queued.
  virtual void startAborting() = 0;  // Reset in the next turn, and then tell the protocol.

  // The end, now; tells the protocol.
  virtual void connectionLost(std::error_code why) = 0;

  bool aborting() const noexcept { return aborting_; }

  // Ends the connection as abortConnection() does, for a reason that the protocol will hear.
  // Nothing more is accepted.
  enum class AbortReason : std::uint8_t { kAsked, kBufferLimit, kNoMemory };
  void abortFor(AbortReason reason);
  AbortReason abortReason() const noexcept { return abortReason_; }

  std::size_t deliveryLimit() const noexcept { return deliveryLimit_; }

  // Whether a registered producer may still bring something.
  bool producerMayWrite() const noexcept { return producer_ && !producer_->hasFinished(); }

  WriteBuffer outgoing_;

 private:
  static constexpr std::uint32_t kNoLimit = std::numeric_limits<std::uint32_t>::max();

  bool accepts() const noexcept {
    return connected_ && !writeDisconnected_ && abortReason_ == AbortReason::kAsked;
  }
  void bytesQueued();
  bool isOverLimit() const noexcept;
  void exceedLimit();
  void uncondemn(std::size_t bytes) noexcept {
    if (abortReason_ == AbortReason::kBufferLimit) outgoing_.pool().uncondemned(bytes);
  }
  AfterWrite drained();
  bool mayClose() { return !aborting_ && restWritten(); }
  void resumeProducer();
  void detachProducer() noexcept;
  bool closeIsDue() const noexcept;
  void readIfAllowed();

  Producer* producer_ = nullptr;
  ConsumersOfProducer consumers_;  // That this transport is the producer of.
  std::uint32_t highWaterMark_ = kHighWaterMark;
  std::uint32_t lowWaterMark_ = 0;
  std::uint32_t bufferLimit_ = kNoLimit;
  std::uint32_t deliveryLimit_ = kDeliveryLimit;
  bool connected_ : 1 = false;
  bool disconnecting_ : 1 = false;
  bool disconnected_ : 1 = false;
  bool writeDisconnecting_ : 1 = false;
  bool writeDisconnected_ : 1 = false;
  bool aborting_ : 1 = false;
  bool producerPaused_ : 1 = false;
  bool streamingProducer_ : 1 = false;
  AbortReason abortReason_ : 2 = AbortReason::kAsked;
  bool unflushed_ : 1 = false;  // Something was written since the queue was last empty.
  bool inputEnded_ : 1 = false;
  bool heldByConsumer_ : 1 = false;     // pauseProducing() was called last,
  bool heldByApplication_ : 1 = false;  // and pauseReading().
};

}  // namespace penstock
