#include <penstock/runtime/core/protocol_owner.h>
#include <penstock/runtime/errors.h>

#include <new>
#include <stdexcept>
#include <utility>

namespace penstock {

ProtocolOwner::ProtocolOwner(ReactorBase& reactor, std::unique_ptr<Protocol> protocol)
    : OwnedProtocol{reactor, std::move(protocol)}, ConsumerMixin(reactor.buffers()) {
  if (!protocol_) throw std::invalid_argument("a connection needs a protocol, not a null one");
  reactor.adopt(*this);
}

template <class Call>
void ProtocolOwner::guarded(Call call) noexcept {
  const ReactorBase::CallOut callOut(reactor_);
  try {
    call();
  } catch (...) {
    reactor_.logException("a connection's callback", this);
    connectionLost(ConnectionError::kProtocolFailed);
  }
}

// Nearly always it was memory, and else that is as good a reason.
void ProtocolOwner::workFailed() noexcept {
  reactor_.logException("the work of a connection", this);
  connectionLost(std::make_error_code(std::errc::not_enough_memory));
}

// Where reading cannot begin, the protocol still hears of the beginning first.
void ProtocolOwner::connectionMade() {
  setConnected();
  bool reads = false;
  try {
    startReading();
    reads = true;
  } catch (const std::bad_alloc&) {
  }
  guarded([this] { protocol_->makeConnection(*this); });
  if (!reads) connectionLost(std::make_error_code(std::errc::not_enough_memory));
}

void ProtocolOwner::deliver(Bytes bytes) {
  guarded([&] { protocol_->dataReceived(bytes); });
}

void ProtocolOwner::endOfInput() {
  reading_ = false;
  setInputEnded();
  if (!isHalfCloseable()) return connectionLost({});
  stopReading();
  watchForHangUp();
  guarded([this] { protocol_->readConnectionLost(); });
}

bool ProtocolOwner::written(std::size_t count) {
  AfterWrite next = AfterWrite::kIdle;
  guarded([&] { next = wrote(count); });
  if (disconnected()) return false;
  switch (next) {
    case AfterWrite::kWriteMore:
      return true;
    case AfterWrite::kIdle:
      if (takeFlushed()) guarded([this] { protocol_->flushed(); });
      return false;
    case AfterWrite::kClose:
      connectionLost({});
      return false;
    case AfterWrite::kHalfClose:
      halfClose();
      return false;
  }
  return false;
}

void ProtocolOwner::halfClose() {
  shutdownWriting();
  if (isHalfCloseable()) guarded([this] { protocol_->writeConnectionLost(); });
}

void ProtocolOwner::connectionLost(std::error_code why) {
  if (disconnected()) return;
  const bool reset = endsInReset(why);
  aboutToEnd();
  Producer* producer = setDisconnected();
  ListNode<InReactor>::unlink();  // What is open does not include this any more.
  stopReading();
  ListNode<InWriters>::unlink();
  ListNode<InDeferred>::unlink();
  if (producer) guarded([producer] { producer->stopProducing(); });
  letGo(reset);
  guarded([&] { protocol_->connectionLost(why); });
  leaveConsumers();
  ended();
  reactor_.retire(*this);
}

// A stream of which something is missing must not look complete to the peer: bytes that are not
// sent, a producer that had more, or what a borrower met elsewhere. An echo, which is its own
// producer, has no more than what it has sent.
bool ProtocolOwner::endsInReset(std::error_code why) const noexcept {
  if (aborting() || why == ConnectionError::kAborted) return true;
  const Elsewhere other = elsewhere();
  if (bufferedBytes() > 0 || other == Elsewhere::kBytes) return true;
  const bool others = producerMayWrite() && producer() != static_cast<const Producer*>(this);
  return why && (other == Elsewhere::kMayCome || others);
}

// Once it is over, nothing would empty a new one.
TransportHandle ProtocolOwner::handle() {
  if (disconnected()) return {};
  return reactor_.handles().make<Transport>(static_cast<ReactorObject*>(this), *this);
}

std::unique_ptr<Protocol> ProtocolOwner::replaceProtocol(std::unique_ptr<Protocol> next) {
  if (!next) throw std::invalid_argument("replaceProtocol: the next protocol is null");
  next->attachTo(*this);
  std::unique_ptr<Protocol> previous = std::exchange(protocol_, std::move(next));
  previous->replaced();
  return previous;
}

void ProtocolOwner::startWriting() {
  if (connected() && !aborting() && !ListNode<InWriters>::linked()) reactor_.writeSoon(*this);
}

void ProtocolOwner::startAborting() {
  ListNode<InWriters>::unlink();
  ListNode<InDeferred>::unlink();  // Whatever it was put off for, this is for the next turn.
  reactor_.deferToNextTurn(*this);
}

void ProtocolOwner::runDeferred() {
  if (aborting()) return connectionLost(reasonOfAbort());
  continueDeferred();
}

void ProtocolOwner::disconnectFromReactor() noexcept {
  connectionLost(aborting() ? reasonOfAbort() : ConnectionError::kLost);
}

std::error_code ProtocolOwner::reasonOfAbort() const noexcept {
  switch (abortReason()) {
    case AbortReason::kAsked:
      return ConnectionError::kAborted;
    case AbortReason::kBufferLimit:
      return ConnectionError::kBufferLimit;
    case AbortReason::kNoMemory:
      return std::make_error_code(std::errc::not_enough_memory);
  }
  return ConnectionError::kAborted;
}

}  // namespace penstock
