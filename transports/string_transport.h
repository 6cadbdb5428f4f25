// StringTransport: a transport for unit tests of protocols, without a reactor.
#pragma once

#include <penstock/runtime/core/handles.h>
#include <penstock/runtime/export.h>
#include <penstock/runtime/transport.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace penstock {

// Collects what is written and remembers what is asked of it; calls nobody back, neither protocol
// nor producer. As a producer it is stricter than a real transport, to catch mistakes: pausing,
// resuming or stopping it when it was stopped, or is closing, throws std::logic_error; so does
// unregistering when no producer is registered. Owned by the test. Any one thread.
// Twisted: internet.testing.StringTransport.
class PENSTOCK_API StringTransport final : public Transport {
 public:
  // `reactor` is what reactor() gives; without one, calling that is a programming error.
  explicit StringTransport(Reactor* reactor = nullptr) noexcept : reactor_(reactor) {}

  // All that was written since the beginning or clear().
  const std::string& value() const noexcept { return value_; }
  void clear() noexcept { value_.clear(); }

  enum class ProducerState { kProducing, kPaused, kStopped };
  ProducerState producerState() const noexcept { return producerState_; }
  bool aborting() const noexcept { return aborting_; }

  using Transport::write;
  void write(Bytes bytes) override;
  void write(Buffer buffer) override;
  void writeSequence(std::span<const Bytes> parts) override;
  void registerProducer(Producer& producer, Production production) override;
  void unregisterProducer() override;

  void loseConnection() override { disconnecting_ = true; }
  void loseWriteConnection() override { writeDisconnecting_ = true; }
  void abortConnection() override;  // aborting(), and disconnecting() too.
  void stopConsuming() override;

  void pauseProducing() override;
  void resumeProducing() override;
  void stopProducing() override;

  void pauseReading() override { readingPaused_ = true; }
  void resumeReading() override { readingPaused_ = false; }
  bool readingPaused() const noexcept { return readingPaused_; }
  void setDeliveryLimit(std::size_t) override {}  // It delivers nothing.
  Buffer keep(Bytes bytes) override;

  void setBufferLimit(std::size_t) override {}
  void setHighWaterMark(std::size_t) override {}  // There is nothing to be full of.
  void setLowWaterMark(std::size_t) override {}

  bool connected() const noexcept override { return true; }
  bool disconnecting() const noexcept override { return disconnecting_; }
  bool disconnected() const noexcept override { return false; }
  bool writeDisconnecting() const noexcept override { return writeDisconnecting_; }
  bool writeDisconnected() const noexcept override { return false; }
  bool inputEnded() const noexcept override { return false; }
  Producer* producer() const noexcept override { return producer_; }
  bool producerPaused() const noexcept override { return false; }
  bool streamingProducer() const noexcept override { return streamingProducer_; }
  std::size_t bufferedBytes() const noexcept override { return value_.size(); }
  int descriptor() const noexcept override { return -1; }
  Reactor& reactor() const noexcept override;
  TransportHandle handle() override { return handles_.make<Transport>(this, *this); }

  // Keeps `next` for the one after it; the first gets null.
  std::unique_ptr<Protocol> replaceProtocol(std::unique_ptr<Protocol> next) override {
    std::unique_ptr<Protocol> previous = std::exchange(protocol_, std::move(next));
    if (previous) previous->replaced();
    return previous;
  }

 private:
  void changeProducerState(ProducerState state, const char* call);

  Handles handles_;
  Reactor* reactor_;
  std::unique_ptr<Protocol> protocol_;
  std::string value_;
  Producer* producer_ = nullptr;
  ProducerState producerState_ = ProducerState::kProducing;
  bool streamingProducer_ = false;
  bool disconnecting_ = false;
  bool writeDisconnecting_ = false;
  bool aborting_ = false;
  bool readingPaused_ = false;
};

}  // namespace penstock
