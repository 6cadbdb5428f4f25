#include <penstock/runtime/core/protocol_owner.h>
#include <penstock/transports/loopback.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>

namespace penstock {
namespace {

constexpr std::size_t kMostBytesPerTurn = 65536;  // Then others have their turn.

class Loopback final : public ProtocolOwner {
 public:
  Loopback(Reactor& reactor, std::unique_ptr<Protocol> protocol)
      : ProtocolOwner(ReactorBase::of(reactor), std::move(protocol)) {}

  static void join(Loopback& first, Loopback& second) noexcept {
    first.peer_ = &second;
    second.peer_ = &first;
  }

  using ProtocolOwner::deliveryLimit;
  void open() { connectionMade(); }

  int descriptor() const noexcept override { return -1; }
  void flush() override;
  bool inUseByKernel() const noexcept override { return false; }

 protected:
  void startReading() override;
  void stopReading() override { reading_ = false; }
  void shutdownWriting() noexcept override {
    if (peer_) peer_->inputEnds();
  }
  void letGo(bool reset) noexcept override;
  void continueDeferred() override;

 private:
  void passOn(std::size_t most);
  void writeToNobody();
  bool dropsBytes() const noexcept { return disconnecting() || aborting(); }
  bool takesBytes() const noexcept { return reading_ || dropsBytes(); }
  void inputEnds() noexcept;
  void peerGone(bool reset) noexcept;
  void actNextTurn() noexcept;

  Loopback* peer_ = nullptr;  // Null once it is gone.
  bool endReached_ = false;   // The peer sends no more; told when reading is on.
  bool wasReset_ = false;     // Told in the next turn.
};

void Loopback::flush() {
  if (aborting() || wasReset_) return;
  if (!peer_ && bufferedBytes() > 0) return writeToNobody();
  passOn(kMostBytesPerTurn);
  if (disconnected()) return;
  const bool bytesLeft = written(0);
  if (disconnected() || !peer_) return;
  if (bytesLeft && peer_->takesBytes()) startWriting();
  if (dropsBytes() && peer_->bufferedBytes() > 0) peer_->startWriting();
}

// The other side's callbacks may do anything to either of them; both stay until the turn ends.
void Loopback::passOn(std::size_t most) {
  while (most > 0 && bufferedBytes() > 0 && peer_ && peer_->takesBytes()) {
    const std::size_t limit = std::min(most, peer_->deliveryLimit());
    const Bytes run = outgoing_.front().first(std::min(outgoing_.front().size(), limit));
    if (!peer_->dropsBytes()) peer_->deliver(run);
    if (disconnected() || aborting()) return;
    outgoing_.consume(run.size());
    most -= run.size();
  }
}

// Whoever closes as well has nothing to wait for. An end that is about to be told comes first; it
// may be all that there is to it.
void Loopback::writeToNobody() {
  if (disconnecting() && !producer()) return connectionLost({});
  const bool endComesFirst = endReached_ && reading_ && !inputEnded();
  if (!endComesFirst) connectionLost(std::make_error_code(std::errc::broken_pipe));
}

void Loopback::startReading() {
  if (inputEnded()) return;
  reading_ = true;
  if (endReached_) actNextTurn();
  if (peer_ && peer_->bufferedBytes() > 0) peer_->startWriting();
}

void Loopback::inputEnds() noexcept {
  endReached_ = true;
  if (reading_) actNextTurn();
}

void Loopback::letGo(bool reset) noexcept {
  if (peer_) std::exchange(peer_, nullptr)->peerGone(reset);
}

void Loopback::peerGone(bool reset) noexcept {
  peer_ = nullptr;
  wasReset_ = reset;
  if (reset) return actNextTurn();
  inputEnds();
  if (bufferedBytes() > 0) startWriting();
}

void Loopback::actNextTurn() noexcept {
  if (!ListNode<InDeferred>::linked()) reactor().deferToNextTurn(*this);
}

void Loopback::continueDeferred() {
  if (wasReset_) return connectionLost(std::make_error_code(std::errc::connection_reset));
  if (!endReached_ || !reading_) return;
  endOfInput();
  if (!disconnected() && bufferedBytes() > 0) startWriting();
}

}  // namespace

std::pair<Transport&, Transport&> loopbackPair(Reactor& reactor, std::unique_ptr<Protocol> first,
                                               std::unique_ptr<Protocol> second) {
  auto one = std::make_unique<Loopback>(reactor, std::move(first));
  auto other = std::make_unique<Loopback>(reactor, std::move(second));
  Loopback::join(*one, *other);
  one->open();
  other->open();
  return {*one.release(), *other.release()};
}

}  // namespace penstock
