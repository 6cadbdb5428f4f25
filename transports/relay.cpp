#include <penstock/runtime/connection.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/reactor.h>
#include <penstock/runtime/system_calls.h>
#include <penstock/runtime/timer.h>
#include <penstock/transports/pipe_pool.h>
#include <penstock/transports/relay.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <utility>

namespace penstock {
namespace {

constexpr std::size_t kCopiedBeforeSplicing = 256 * 1024;  // Short exchanges are not worth a pipe.
constexpr std::size_t kMostSplicedPerTurn = 4 << 20;       // Of one direction: others wait.

// One side of a relay: it takes what its own transport receives to the other one.
class RelayEnd final : public Protocol, private DescriptorUser, private Producer {
 public:
  RelayEnd(Transport& own, RelayTap* tap)
      : own_(own), tap_(tap), again_(own.reactor(), [this] { pump(); }) {}

  static void join(RelayEnd& a, RelayEnd& b) {
    a.other_ = &b;
    b.other_ = &a;
  }
  void begin(std::unique_ptr<Protocol> previous) {
    previous_ = std::move(previous);
    other_->own_.registerProducer(*this, Production::kStreaming);
  }

  void connectionMade(Transport&) override {}  // It was made before the relay was.
  void dataReceived(Bytes bytes) override;
  bool isHalfCloseable() const noexcept override { return true; }
  void readConnectionLost() override;
  void writeConnectionLost() override { closeIfDone(); }
  void connectionLost(std::error_code why) override;

 private:
  // A direction is the producer of the transport it writes to, which stops its reading while
  // copying, asks for more when what was copied has drained once it is spliced, and does not close
  // before it has ended. What follows from a loss is up to connectionLost().
  void pauseProducing() override { own_.pauseProducing(); }
  void resumeProducing() override { connection_ ? pump() : own_.resumeProducing(); }
  void stopProducing() override {}

  void descriptorReady(bool readable, bool writable) override;
  void beginSplicing();
  void lendOwn(Connection& connection);
  void pump();
  bool fillPipe(std::size_t& moved);
  bool drainPipe();
  void closeIfDone();

  Transport& own_;
  RelayTap* const tap_;
  RelayEnd* other_ = nullptr;           // Null once the other side is lost.
  std::unique_ptr<Protocol> previous_;  // May be running when the relay begins.
  std::size_t copied_ = 0;
  Connection* connection_ = nullptr;  // Of own_, once its descriptor is lent to us.
  Pipe pipe_;
  std::size_t inPipe_ = 0;
  Timer again_;  // Goes on with pumping in the next turn.
  bool inputEnded_ = false;
  bool free_ = false;  // The lent descriptor may be used.
  bool readable_ = false;
};

void RelayEnd::dataReceived(Bytes bytes) {
  if (!other_) return;
  if (tap_) tap_->passing(own_, bytes);
  if (!other_) return;  // The tap may have ended it.
  other_->own_.write(bytes);
  copied_ += bytes.size();
  if (!tap_ && !connection_ && other_ && copied_ >= kCopiedBeforeSplicing) beginSplicing();
}

void RelayEnd::readConnectionLost() {
  inputEnded_ = true;
  if (other_) {
    other_->own_.unregisterProducer();
    other_->own_.loseWriteConnection();
  }
  closeIfDone();
}

void RelayEnd::closeIfDone() {
  if (inputEnded_ && own_.writeDisconnected()) own_.loseConnection();
}

void RelayEnd::connectionLost(std::error_code why) {
  again_.cancel();
  if (RelayEnd* other = std::exchange(other_, nullptr)) {
    other->other_ = nullptr;
    other->again_.cancel();
    other->own_.unregisterProducer();
    if (why) {
      other->own_.abortConnection();
    } else {
      other->own_.loseConnection();
    }
  }
  if (previous_) previous_->connectionLost(why);
}

void RelayEnd::beginSplicing() {
  auto* own = dynamic_cast<Connection*>(&own_);
  auto* far = dynamic_cast<Connection*>(&other_->own_);
  copied_ = 0;
  if (!own || !far || own->descriptor() < 0 || far->descriptor() < 0) return;
  Pipe pipe = PipePool::ofThisThread().take();
  if (!pipe.readEnd) return;  // Copying goes on; asked again after as much again.
  PipePool::ofThisThread().give(std::move(pipe));
  lendOwn(*own);
  other_->lendOwn(*far);
}

void RelayEnd::lendOwn(Connection& connection) {
  connection_ = &connection;
  connection.lend(*this);
  connection.resumeProducing();  // A pause of the copying must not hold back what it received.
  connection.unregisterProducer();
  if (!other_->inputEnded_) connection.registerProducer(*other_, Production::kPull);
}

void RelayEnd::descriptorReady(bool readable, bool writable) {
  free_ = true;
  if (readable) {
    readable_ = true;
    pump();
  }
  if (writable && other_) other_->pump();
}

void RelayEnd::pump() {
  if (!free_ || !other_ || !other_->free_ || inputEnded_) return;
  if (other_->own_.bufferedBytes() > 0) return;  // It asks again when that has drained.
  std::size_t moved = 0;
  while (moved < kMostSplicedPerTurn) {
    if (inPipe_ == 0 && !fillPipe(moved)) return;
    if (!drainPipe()) return;
  }
  again_.arm(Duration::zero());
}

// False: nothing is in the pipe, so that it was given back.
bool RelayEnd::fillPipe(std::size_t& moved) {
  if (!readable_) return false;
  pipe_ = PipePool::ofThisThread().take();
  if (!pipe_.readEnd) {
    again_.arm(std::chrono::milliseconds(10));  // Out of descriptors: try when some are free.
    return false;
  }
  ssize_t got;
  do {
    got = systemCalls().splice(own_.descriptor(), pipe_.writeEnd.get(), PipePool::kSplicePipe);
  } while (got == -EINTR);
  if (got > 0) {
    inPipe_ = static_cast<std::size_t>(got);
    moved += inPipe_;
    return true;
  }
  PipePool::ofThisThread().give(std::move(pipe_));
  readable_ = false;
  if (got != -EAGAIN) connection_->lentReadEnded(got);
  return false;
}

// False: the other side takes no more now, or is lost.
bool RelayEnd::drainPipe() {
  while (inPipe_ > 0) {
    const ssize_t sent =
        systemCalls().splice(pipe_.readEnd.get(), other_->own_.descriptor(), inPipe_);
    if (sent == -EINTR) continue;
    if (sent == -EAGAIN) return false;
    if (sent < 0) {
      other_->connection_->connectionLost(errorOf(sent));
      return false;
    }
    inPipe_ -= static_cast<std::size_t>(sent);
  }
  PipePool::ofThisThread().give(std::move(pipe_));
  return true;
}

void check(const Transport& transport) {
  if (!transport.connected() || transport.disconnecting() || transport.writeDisconnecting()) {
    throw std::logic_error("relay: both transports must be connected and not closing");
  }
  if (transport.producer()) {
    throw std::logic_error("relay: unregister the transports' producers first");
  }
}

}  // namespace

void relay(Transport& a, Transport& b, RelayTap* tap) {
  check(a);
  check(b);
  if (&a == &b || &a.reactor() != &b.reactor()) {
    throw std::logic_error("relay: two different transports of one reactor are needed");
  }
  auto endOfA = std::make_unique<RelayEnd>(a, tap);
  auto endOfB = std::make_unique<RelayEnd>(b, tap);
  RelayEnd& ofA = *endOfA;
  RelayEnd& ofB = *endOfB;
  RelayEnd::join(ofA, ofB);
  ofA.begin(a.replaceProtocol(std::move(endOfA)));
  ofB.begin(b.replaceProtocol(std::move(endOfB)));
  a.resumeProducing();
  b.resumeProducing();
}

}  // namespace penstock
