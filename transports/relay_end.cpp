#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/transports/relay_end.h>

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <limits>
#include <utility>

namespace penstock {
namespace {

constexpr std::size_t kMostSplicedPerTurn = 4 << 20;  // Of one direction: others wait.

// What one receive brings is passed on at once, while it is in the cache.
constexpr std::size_t kWholeReads = std::numeric_limits<std::size_t>::max();

// Behind so much at once comes more: the next splice is tried at once. Else looking costs less.
constexpr std::size_t kSurelyMore = 65536;

}  // namespace

RelayEnd::RelayEnd(Transport& own, std::shared_ptr<RelayState> state, std::size_t number)
    : own_(own),
      state_(std::move(state)),
      number_(number),
      pipe_(state_->reactor().pipes()),
      again_(own.reactor(), [this] { again(); }) {
  state_->add(*this, number);
}

void RelayEnd::join(RelayEnd& a, RelayEnd& b) noexcept {
  a.other_ = &b;
  b.other_ = &a;
}

void RelayEnd::begin(std::unique_ptr<Protocol> previous) {
  previous_ = std::move(previous);
  own_.setDeliveryLimit(kWholeReads);
  own_.registerProducer(*this, Production::kStreaming);
}

// --- Copying ------------------------------------------------------------------------------------

void RelayEnd::dataReceived(Bytes bytes) {
  if (!other_) return;
  if (other_->closing()) return own_.pauseProducing();  // It takes nothing more.
  if (state_->tap()) showTap(bytes);
  if (!other_) return;  // The tap may have ended it.
  state_->passing(number_, bytes.size());
  other_->own_.write(bytes);
  copied_ += bytes.size();
  if (state_->isLimited()) slowDown();
  const bool much = copied_ >= state_->copiedBeforeSplicing();
  if (much && !state_->tap() && !isSpliced() && other_) beginSplicing();
}

// Its failure is ours: what it did not see is never passed on, and the stream not complete.
void RelayEnd::showTap(Bytes bytes) {
  try {
    state_->tap()->passing(own_, bytes);
  } catch (...) {
    own_.abortConnection();
    throw;
  }
}

void RelayEnd::slowDown() {
  const Duration wait = state_->readyIn(number_);
  if (wait == Duration::zero()) return;
  slowed_ = true;
  own_.pauseProducing();
  again_.arm(wait);
}

void RelayEnd::again() {
  if (abandoned_) return own_.abortConnection();
  if (isSpliced()) return pump();
  if (!std::exchange(slowed_, false) || !other_) return;
  if (!other_->own_.producerPaused()) own_.resumeProducing();
}

void RelayEnd::pauseProducing() {
  if (other_) other_->own_.pauseProducing();
}

void RelayEnd::resumeProducing() {
  if (isSpliced()) return pump();
  if (other_ && !other_->slowed_) other_->own_.resumeProducing();
}

// --- Ending -------------------------------------------------------------------------------------

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
  try {
    if (previous_) previous_->connectionLost(why);
  } catch (...) {
    state_->remove(*this, why);
    throw;
  }
  state_->remove(*this, why);
}

// The transport lives on with another protocol, which gets all that we have not passed on.
void RelayEnd::replaced() noexcept {
  again_.cancel();
  stopSplicing();
  if (RelayEnd* other = std::exchange(other_, nullptr)) other->otherReplaced();
  if (isProducer()) own_.unregisterProducer();
  own_.setDeliveryLimit(Transport::kDeliveryLimit);
  own_.resumeProducing();
  state_->remove(*this, {});
}

// In the next turn, so that this one may be replaced as well.
void RelayEnd::otherReplaced() {
  other_ = nullptr;
  abandoned_ = true;
  own_.pauseProducing();
  again_.arm(Duration::zero());
}

// --- Splicing -----------------------------------------------------------------------------------

void RelayEnd::beginSplicing() {
  Connection* const own = own_.spliceable();
  Connection* const far = other_->own_.spliceable();
  copied_ = 0;
  if (!own || !far) return;
  if (!state_->reactor().pipes().usable()) return;
  spliceOwn(*own);
  other_->spliceOwn(*far);
}

void RelayEnd::spliceOwn(Connection& connection) {
  connection_ = &connection;
  slowed_ = false;
  connection.lendDescriptor(*this);
  connection.resumeProducing();  // A pause of the copying must not hold back what it received.
  connection.unregisterProducer();
  if (!other_->inputEnded_) connection.registerProducer(*this, Production::kPull);
}

// Back to copying, on both sides, with what is in the pipes first.
void RelayEnd::stopSplicing() {
  if (!isSpliced()) return;
  RelayEnd* const other = other_;
  state_->splicingFailed();
  copyOwn();
  if (other && other->isSpliced()) other->copyOwn();
}

void RelayEnd::copyOwn() {
  Connection& connection = *std::exchange(connection_, nullptr);
  free_ = readable_ = false;
  copied_ = 0;
  again_.cancel();
  connection.takeDescriptorBack();
  if (isProducer()) {
    connection.unregisterProducer();
    connection.registerProducer(*this, Production::kStreaming);
  }
  copyRest();
}

void RelayEnd::copyRest() {
  std::array<std::byte, 16384> some;
  while (!pipe_.empty()) {
    const ssize_t got = pipe_.takeOut(some);
    if (got <= 0) {
      pipe_.clear();
      return own_.abortConnection();  // It will never be complete.
    }
    own_.write(Bytes(some.data(), static_cast<std::size_t>(got)));
  }
}

void RelayEnd::descriptorReady(bool readable, bool writable) {
  free_ = true;
  readable_ = readable_ || readable;
  if (readable) mayBeDry_ = false;
  if (writable) pump();
  if (!readable || !other_ || !isSpliced()) return;
  other_->pump();
  endIfBroken();
}

// A reset does not wait until it is met by a read, which is not tried while the sink takes nothing
// or after the end of input.
void RelayEnd::endIfBroken() {
  if (!other_ || !isSpliced()) return;
  const bool sinkIsFull = !other_->pipe_.empty() || other_->own_.bufferedBytes() > 0;
  if (!sinkIsFull && !inputEnded_) return;
  int error = 0;
  socklen_t length = sizeof error;
  socketCalls().getsockopt(own_.descriptor(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) connection_->connectionLost(errorOf(-error));
}

void RelayEnd::pump() {
  if (!free_ || again_.active()) return;  // It has had its part of this turn.
  if (own_.bufferedBytes() > 0) return;   // It asks again when that has drained.
  keepNonBlocking();
  std::size_t moved = 0;
  while (moved < kMostSplicedPerTurn) {
    const std::size_t before = moved;
    if (pipe_.empty() && (moved += fillPipe(moved > 0)) == before) return;
    if (!drainPipe()) return;
  }
  again_.arm(Duration::zero());
}

// splice(2) waits unless both sockets have O_NONBLOCK, which whoever else holds one may clear.
void RelayEnd::keepNonBlocking() {
  descriptorCalls().setNonBlocking(own_.descriptor(), true);
  if (other_) descriptorCalls().setNonBlocking(other_->own_.descriptor(), true);
}

// 0: there is nothing to fill it with now.
std::size_t RelayEnd::fillPipe(bool bulk) {
  if (!other_ || !other_->free_ || !other_->readable_ || other_->inputEnded_) return 0;
  if (closing() || other_->own_.disconnecting()) return 0;
  const std::size_t most = state_->allowance(other_->number_, PipePool::kLargePipe);
  if (most == 0) {
    again_.arm(state_->readyIn(other_->number_));
    return 0;
  }
  if (other_->mayBeDry_ && !other_->moreWaits()) return 0;
  const ssize_t got = spliceFromOther(most, bulk);
  if (got <= 0) return 0;
  other_->mayBeDry_ = static_cast<std::size_t>(got) < kSurelyMore;
  state_->passing(other_->number_, static_cast<std::size_t>(got));
  state_->reactor().counters().bytesIn += static_cast<std::size_t>(got);
  return static_cast<std::size_t>(got);
}

// A splice stops before urgent data, and says of what is behind it that there is nothing, or that
// it was the end of input. Where bytes wait all the same, only a receive passes that point.
ssize_t RelayEnd::spliceFromOther(std::size_t most, bool bulk) {
  const auto nothing = [](ssize_t result) { return result == 0 || result == -EAGAIN; };
  const int source = other_->own_.descriptor();
  ssize_t got = pipe_.fill(source, most, bulk);
  if (nothing(got)) {
    if (!other_->moreWaits()) return 0;
    got = pipe_.fill(source, most, bulk);  // It may have come just now.
  }
  if (got > 0) return got;
  if (SplicePipe::forbidden(got)) state_->reactor().pipes().refuse();
  if (nothing(got) || SplicePipe::cannotSplice(got)) {
    stopSplicing();
  } else {
    other_->connection_->lentReadEnded(got);
  }
  return 0;
}

// Whether there is more to splice. The end of input is told, and so is an error.
bool RelayEnd::moreWaits() {
  std::byte first;
  ssize_t found;
  do {
    found = socketCalls().recv(own_.descriptor(), {&first, 1}, MSG_PEEK | MSG_DONTWAIT);
  } while (found == -EINTR);
  if (found > 0) return true;
  readable_ = false;
  if (found != -EAGAIN) connection_->lentReadEnded(found);
  return false;
}

// False: our transport takes no more now, or is lost, or is copied to from now on.
bool RelayEnd::drainPipe() {
  const std::size_t held = pipe_.size();
  const int result = pipe_.drain(own_.descriptor());
  state_->reactor().counters().bytesOut += held - pipe_.size();
  if (result == -EAGAIN) return false;
  if (SplicePipe::forbidden(result)) state_->reactor().pipes().refuse();
  if (SplicePipe::cannotSplice(result)) {
    stopSplicing();
  } else if (result < 0) {
    connection_->connectionLost(errorOf(result));
  } else {
    connection_->lentRestWritten();
    return true;
  }
  return false;
}

}  // namespace penstock
