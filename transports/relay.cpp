#include <penstock/runtime/connection.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/reactor.h>
#include <penstock/runtime/system_calls.h>
#include <penstock/runtime/timer.h>
#include <penstock/transports/pipe_pool.h>
#include <penstock/transports/relay.h>
#include <penstock/transports/sigpipe_block.h>

#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <utility>

namespace penstock {
namespace {

constexpr std::size_t kCopiedBeforeSplicing = 256 * 1024;  // Short exchanges are not worth a pipe.
constexpr std::size_t kMostSplicedPerTurn = 4 << 20;       // Of one direction: others wait.

// One side of a relay: it takes what the other one receives to its own transport.
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
    own_.registerProducer(*this, Production::kStreaming);
  }

  void connectionMade(Transport&) override {}  // It was made before the relay was.
  void dataReceived(Bytes bytes) override;
  bool isHalfCloseable() const noexcept override { return true; }
  void readConnectionLost() override;
  void writeConnectionLost() override { closeIfDone(); }
  void connectionLost(std::error_code why) override;

 private:
  // The producer of its own transport: that stops the other one's reading while copying, asks for
  // more when what was copied has drained once it is spliced, and does not close before the other
  // one has ended. What follows from a loss is up to connectionLost().
  void pauseProducing() override;
  void resumeProducing() override;
  void stopProducing() override {}

  // Told to close or half-close, by somebody else, without waiting for the other side's end.
  bool closing() const {
    return !own_.producer() && (own_.disconnecting() || own_.writeDisconnecting());
  }
  void closeIfDone();

  void descriptorReady(bool readable, bool writable) override;
  bool writeRest() override { return inPipe_ == 0 || drainPipe(); }
  void beginSplicing();
  void lendOwn(Connection& connection);
  void pump();
  bool fillPipe(std::size_t& moved);
  ssize_t spliceFromOther();
  bool drainPipe();
  void endIfBroken();

  Transport& own_;
  RelayTap* const tap_;
  RelayEnd* other_ = nullptr;           // Null once the other side is lost.
  std::unique_ptr<Protocol> previous_;  // May be running when the relay begins.
  std::size_t copied_ = 0;              // Of what own_ has received.
  Connection* connection_ = nullptr;    // Of own_, once its descriptor is lent to us.
  Pipe pipe_;                           // On its way to own_. Outlives the other side.
  std::size_t inPipe_ = 0;
  Timer again_;  // Goes on with pumping in the next turn.
  bool inputEnded_ = false;
  bool free_ = false;  // The lent descriptor may be used.
  bool readable_ = false;
};

void RelayEnd::dataReceived(Bytes bytes) {
  if (!other_) return;
  if (other_->closing()) return own_.pauseProducing();  // It takes nothing more.
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
    other->own_.unregisterProducer();
    if (why) {
      other->own_.abortConnection();
    } else {
      other->own_.loseConnection();
    }
  }
  if (previous_) previous_->connectionLost(why);
}

void RelayEnd::pauseProducing() {
  if (other_) other_->own_.pauseProducing();
}

void RelayEnd::resumeProducing() {
  if (connection_) return pump();
  if (other_) other_->own_.resumeProducing();
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
  if (!other_->inputEnded_) connection.registerProducer(*this, Production::kPull);
}

void RelayEnd::descriptorReady(bool readable, bool writable) {
  free_ = true;
  readable_ = readable_ || readable;
  if (writable) pump();
  if (!readable || !other_) return;
  other_->pump();
  endIfBroken();
}

// A reset does not wait until it is met by a read, which is not tried while the sink takes nothing
// or after the end of input.
void RelayEnd::endIfBroken() {
  if (!other_) return;
  const bool sinkIsFull = other_->inPipe_ > 0 || other_->own_.bufferedBytes() > 0;
  if (!sinkIsFull && !inputEnded_) return;
  int error = 0;
  socklen_t length = sizeof error;
  systemCalls().getsockopt(own_.descriptor(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) connection_->connectionLost(errorOf(-error));
}

void RelayEnd::pump() {
  if (!free_ || own_.bufferedBytes() > 0) return;  // It asks again when that has drained.
  std::size_t moved = 0;
  while (moved < kMostSplicedPerTurn) {
    if (inPipe_ == 0 && !fillPipe(moved)) return;
    if (!drainPipe()) return;
  }
  again_.arm(Duration::zero());
}

// False: there is nothing to fill it with, so that it was given back.
bool RelayEnd::fillPipe(std::size_t& moved) {
  if (!other_ || !other_->free_ || !other_->readable_ || other_->inputEnded_) return false;
  if (closing() || other_->own_.disconnecting()) return false;
  pipe_ = PipePool::ofThisThread().take();
  if (!pipe_.readEnd) {
    again_.arm(std::chrono::milliseconds(10));  // Out of descriptors: try when some are free.
    return false;
  }
  const ssize_t got = spliceFromOther();
  if (got > 0) {
    inPipe_ = static_cast<std::size_t>(got);
    moved += inPipe_;
    return true;
  }
  PipePool::ofThisThread().give(std::move(pipe_));
  other_->readable_ = false;
  if (got != -EAGAIN) other_->connection_->lentReadEnded(got);
  return false;
}

ssize_t RelayEnd::spliceFromOther() {
  const int from = other_->own_.descriptor();
  ssize_t got;
  do {
    got = systemCalls().splice(from, pipe_.writeEnd.get(), PipePool::kSplicePipe);
  } while (got == -EINTR);
  return got;
}

// False: our transport takes no more now, or is lost. A splice into a socket whose peer has gone
// raises SIGPIPE.
bool RelayEnd::drainPipe() {
  SigpipeBlock noSignal;
  while (inPipe_ > 0) {
    const ssize_t sent = systemCalls().splice(pipe_.readEnd.get(), own_.descriptor(), inPipe_);
    if (sent == -EINTR) continue;
    if (sent == -EAGAIN) return false;
    if (sent < 0) {
      if (sent == -EPIPE) noSignal.raised();
      connection_->connectionLost(errorOf(sent));
      return false;
    }
    inPipe_ -= static_cast<std::size_t>(sent);
  }
  PipePool::ofThisThread().give(std::move(pipe_));
  connection_->lentRestWritten();
  return true;
}

void check(const Transport& transport) {
  if (!transport.connected() || transport.disconnecting() || transport.writeDisconnecting()) {
    throw std::logic_error("relay: both transports must be connected and not closing");
  }
  if (transport.producer()) {
    throw std::logic_error("relay: unregister the transports' producers first");
  }
  const auto* connection = dynamic_cast<const Connection*>(&transport);
  if (connection && connection->inputEnded()) {
    throw std::logic_error("relay: the input of a transport has ended already");
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
