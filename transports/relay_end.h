// RelayEnd: one side of a relay.
#pragma once

#include <penstock/runtime/core/connection.h>
#include <penstock/runtime/timer.h>
#include <penstock/transports/relay_state.h>
#include <penstock/transports/splice_pipe.h>

#include <cstddef>
#include <memory>

namespace penstock {

// Takes what the other one receives to its own transport, whose protocol it is. Copies it, or, once
// it is much, has it spliced, and goes back to copying when that cannot go on. It is left alone by
// its own end, by the other one's, or by being replaced; after any of them neither refers to the
// other.
class RelayEnd final : public Protocol, private DescriptorUser, private Producer {
 public:
  RelayEnd(Transport& own, std::shared_ptr<RelayState> state, std::size_t number);

  static void join(RelayEnd& a, RelayEnd& b) noexcept;
  void begin(std::unique_ptr<Protocol> previous);

  void connectionMade(Transport&) override {}  // It was made before the relay was.
  void dataReceived(Bytes bytes) override;
  bool isHalfCloseable() const noexcept override { return true; }
  void readConnectionLost() override;
  void writeConnectionLost() override { closeIfDone(); }
  void replaced() noexcept override;
  void connectionLost(std::error_code why) override;

  void stop() { own_.stopConsuming(); }
  void abort() { own_.abortConnection(); }

 private:
  // The producer of its own transport: that stops the other one's reading while copying, asks for
  // more when what was copied has drained once it is spliced, and does not close before the other
  // one has ended. What follows from a loss is up to connectionLost().
  void pauseProducing() override;
  void resumeProducing() override;
  void stopProducing() override {}
  bool hasFinished() const noexcept override { return !other_ || other_->own_.hasFinished(); }
  bool isProducer() const noexcept { return own_.producer() == static_cast<const Producer*>(this); }

  // Told to close or half-close, by somebody else, without waiting for the other side's end.
  bool closing() const {
    return !own_.producer() && (own_.disconnecting() || own_.writeDisconnecting());
  }
  void closeIfDone();
  void otherReplaced();
  void again();
  void showTap(Bytes bytes);
  void slowDown();

  void descriptorReady(bool readable, bool writable) override;
  bool writeRest() override { return pipe_.empty() || drainPipe(); }
  bool hasRest() const noexcept override { return !pipe_.empty(); }

  bool isSpliced() const noexcept { return connection_ != nullptr; }
  void beginSplicing();
  void spliceOwn(Connection& connection);
  void stopSplicing();
  void copyOwn();
  void copyRest();
  void pump();
  void keepNonBlocking();
  std::size_t fillPipe(bool bulk);
  ssize_t spliceFromOther(std::size_t most, bool bulk);
  bool moreWaits();
  bool drainPipe();
  void endIfBroken();

  Transport& own_;
  const std::shared_ptr<RelayState> state_;
  const std::size_t number_;
  RelayEnd* other_ = nullptr;           // Null once the other side is lost or replaced.
  std::unique_ptr<Protocol> previous_;  // May be running when the relay begins.
  std::size_t copied_ = 0;              // Of what own_ has received.
  Connection* connection_ = nullptr;    // Of own_, while its descriptor is lent to us.
  SplicePipe pipe_;                     // On its way to own_. Outlives the other side.
  Timer again_;                         // Goes on in the next turn, or when it may.
  bool inputEnded_ = false;
  bool abandoned_ = false;  // The other side was taken out of the relay.
  bool slowed_ = false;     // More than the limit was received.
  bool free_ = false;       // The lent descriptor may be used.
  bool readable_ = false;
  bool mayBeDry_ = false;  // The last splice from it took all that was there, as it seems.
};

}  // namespace penstock
