#include <penstock/runtime/core/connection.h>
#include <penstock/runtime/core/connection_group.h>
#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/socket_calls.h>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <stdexcept>
#include <utility>

namespace penstock {
namespace {

constexpr std::size_t kHeldAsCopy = 65536;
constexpr std::size_t kWrittenPerTurn = 262144;

}  // namespace

Connection::Connection(ReactorBase& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol)
    : ConsumerMixin(reactor.buffers()),
      fd_(std::move(fd)),
      reactor_(reactor),
      protocol_(std::move(protocol)) {
  if (!protocol_) throw std::invalid_argument("a connection needs a protocol, not a null one");
  reactor.adopt(*this);
}

Connection::~Connection() { leaveGroup(); }

void Connection::comesFrom(const SocketAddress& peer, ConnectionGroup* group) {
  names_.keep(peer.empty() ? peerAddress() : peer);
  group_ = group;
  if (group_) group_->connectionMade();
}

SocketAddress Connection::peerAddress() const noexcept {
  const SocketAddress kept = names_.peer();
  if (!kept.empty() || disconnected()) return kept;
  return SocketAddress::filledBy([this](sockaddr* address, socklen_t* length) {
    return socketCalls().getpeername(fd_.get(), address, length);
  });
}

SocketAddress Connection::hostAddress() const noexcept {
  if (disconnected()) {
    const SocketAddress kept = names_.host();
    return kept.empty() && group_ ? group_->host() : kept;
  }
  return SocketAddress::filledBy([this](sockaddr* address, socklen_t* length) {
    return socketCalls().getsockname(fd_.get(), address, length);
  });
}

// The protocol may ask for them when the descriptor is gone.
void Connection::keepNames() noexcept {
  if (!fd_ || (group_ && !group_->host().empty())) return;
  const SocketAddress host = hostAddress();
  if (group_) group_->learnHost(host);
  try {
    names_.keep(peerAddress(), host);
  } catch (const std::bad_alloc&) {  // Then they are not known.
  }
}

void Connection::leaveGroup() {
  if (ConnectionGroup* group = std::exchange(group_, nullptr)) group->connectionOver();
}

template <class Call>
void Connection::guarded(Call call) noexcept {
  const ReactorBase::CallOut callOut(reactor_);
  try {
    call();
  } catch (...) {
    reactor_.logException("a connection's callback", this);
    connectionLost(ConnectionError::kProtocolFailed);
  }
}

// In a catch block. Nearly always it was memory, and else that is as good a reason.
void Connection::workFailed() noexcept {
  reactor_.logException("the work of a connection", this);
  connectionLost(std::make_error_code(std::errc::not_enough_memory));
}

// Where reading cannot begin, the protocol still hears of the beginning first.
void Connection::connectionMade() {
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

void Connection::deliver(Bytes bytes) {
  guarded([&] { protocol_->dataReceived(bytes); });
}

void Connection::received(Block& block, Bytes bytes) {
  if (!held_) bytes = bytes.subspan(deliverPieces(block, bytes));
  if (!bytes.empty() && mayWantInput()) hold(block, bytes);
}

// How many of the bytes were delivered. What is written for them leaves before too much is.
std::size_t Connection::deliverPieces(Block& block, Bytes bytes) {
  const std::size_t mayQueue = reactor_.buffers().queuedBytes() + kWrittenPerTurn;
  std::size_t delivered = 0;
  while (delivered < bytes.size() && wantsInput() && reactor_.buffers().queuedBytes() < mayQueue) {
    const Bytes piece = nextPiece(bytes.subspan(delivered));
    delivered += piece.size();
    const BufferPool::Lending lending(reactor_.buffers(), block, piece);
    deliver(piece);
  }
  return delivered;
}

Bytes Connection::nextPiece(Bytes bytes) const noexcept {
  return bytes.first(std::min(bytes.size(), deliveryLimit()));
}

// A little is copied, so that paused connections cannot take all receive memory; of a bulk read, of
// which there are few at a time, the block is kept. Memory that is short ends this connection
// alone.
void Connection::hold(Block& block, Bytes bytes) {
  try {
    if (!held_) held_ = reactor_.takeHolder();
    if (bytes.size() <= kHeldAsCopy) return held_->appendCopy(bytes);
    const BufferPool::Lending lending(reactor_.buffers(), block, bytes);
    held_->append(bytes);
  } catch (const std::bad_alloc&) {
    abortFor(AbortReason::kNoMemory);
  }
}

// What is being delivered is kept here: the protocol may lose the connection meanwhile.
void Connection::deliverHeld() {
  std::unique_ptr<WriteBuffer> held = std::move(held_);
  std::size_t mayQueue = reactor_.buffers().queuedBytes() + kWrittenPerTurn;
  while (held && wantsInput() && !held->empty() && reactor_.buffers().queuedBytes() < mayQueue) {
    const Bytes piece = nextPiece(held->front());
    if (Block* block = held->frontBlock()) {
      const BufferPool::Lending lending(reactor_.buffers(), *block, piece);
      deliver(piece);
    } else {
      deliver(piece);
    }
    held->consume(piece.size());
    mayQueue -= piece.size();  // It was queued here.
  }
  if (held && held->empty()) {
    reactor_.giveBack(std::move(held));
  } else if (mayWantInput()) {
    held_ = std::move(held);
  }
}

void Connection::hangUp(bool broken, bool hungUp) {
  int error = 0;
  socklen_t length = sizeof error;
  if (broken) socketCalls().getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  if (error != 0) return connectionLost(errorOf(-error));
  const bool writing = ListNode<InWriters>::linked() || bufferedBytes() > 0;
  if (hungUp && writing) connectionLost(ConnectionError::kLost);
}

void Connection::endOfInput() {
  reading_ = false;
  setInputEnded();
  if (!isHalfCloseable()) return connectionLost({});
  stopReading();
  watchForHangUp();
  guarded([this] { protocol_->readConnectionLost(); });
}

bool Connection::written(std::size_t count) {
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

void Connection::halfClose() {
  shutdownWriting();
  if (isHalfCloseable()) guarded([this] { protocol_->writeConnectionLost(); });
}

void Connection::connectionLost(std::error_code why) {
  if (disconnected()) return;
  const bool reset = endsInReset(why);
  keepNames();
  Producer* producer = setDisconnected();
  ListNode<InReactor>::unlink();  // What is open does not include this any more.
  stopReading();
  ListNode<InWriters>::unlink();
  ListNode<InDeferred>::unlink();
  if (producer) guarded([producer] { producer->stopProducing(); });
  letGo(reset);
  guarded([&] { protocol_->connectionLost(why); });
  leaveConsumers();
  leaveGroup();
  reactor_.retire(*this);
}

// A stream of which something is missing must not look complete to the peer: bytes that are not
// sent, a producer that had more, or what a borrower met elsewhere. An echo, which is its own
// producer, has no more than what it has sent.
bool Connection::endsInReset(std::error_code why) const noexcept {
  if (aborting() || why == ConnectionError::kAborted) return true;
  const bool unsent = bufferedBytes() > 0 || (user_ && user_->hasRest());
  const bool others = producerMayWrite() && producer() != static_cast<const Producer*>(this);
  return unsent || (why && (user_ || others));
}

void Connection::lend(DescriptorUser& user) {
  user_ = &user;
  stopForLending();
}

void Connection::takeBack() {
  if (!std::exchange(user_, nullptr) || disconnected() || aborting()) return;
  continueAfterLending();
}

void Connection::lentReady(bool readable, bool writable) {
  if (user_ && !disconnected() && !aborting()) user_->descriptorReady(readable, writable);
}

void Connection::lentReadEnded(ssize_t result) {
  if (disconnected() || aborting() || inputEnded()) return;
  if (result < 0) return connectionLost(errorOf(result));
  endOfInput();
}

void Connection::lentRestWritten() {
  if (disconnecting() || writeDisconnecting()) startWriting();
}

// Once it is over, nothing would empty a new one.
TransportHandle Connection::handle() {
  if (disconnected()) return {};
  return reactor_.handles().make<Transport>(static_cast<ReactorObject*>(this), *this);
}

std::unique_ptr<Protocol> Connection::replaceProtocol(std::unique_ptr<Protocol> next) {
  if (!next) throw std::invalid_argument("replaceProtocol: the next protocol is null");
  next->attachTo(*this);
  std::unique_ptr<Protocol> previous = std::exchange(protocol_, std::move(next));
  previous->replaced();
  return previous;
}

void Connection::startWriting() {
  if (connected() && !aborting() && !ListNode<InWriters>::linked()) reactor_.writeSoon(*this);
}

void Connection::startAborting() {
  ListNode<InWriters>::unlink();
  ListNode<InDeferred>::unlink();  // Whatever it was put off for, this is for the next turn.
  reactor_.deferToNextTurn(*this);
}

void Connection::runDeferred() {
  if (aborting()) return connectionLost(reasonOfAbort());
  continueDeferred();
}

void Connection::disconnectFromReactor() noexcept {
  connectionLost(aborting() ? reasonOfAbort() : ConnectionError::kLost);
}

std::error_code Connection::reasonOfAbort() const noexcept {
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

void Connection::shutdownWriting() noexcept { socketCalls().shutdown(fd_.get(), SHUT_WR); }

// A description that has copies is not ended by closing one of its descriptors.
void Connection::endSocket(bool reset) noexcept {
  if (fd_ && !(reset && resetSocket())) socketCalls().shutdown(fd_.get(), SHUT_RDWR);
}

// False: a socket of this kind has no reset. connect(2) with AF_UNSPEC resets a TCP connection
// whoever else holds it, unless a thread waits on a copy just now: then closing has to do it.
bool Connection::resetSocket() noexcept {
  const linger immediately{1, 0};
  socketCalls().setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
  const sockaddr nowhere{AF_UNSPEC, {}};
  const int result = socketCalls().connect(fd_.get(), &nowhere, sizeof nowhere);
  return result == 0 || result == -EBUSY;
}

}  // namespace penstock
