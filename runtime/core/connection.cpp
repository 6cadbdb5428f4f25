#include <penstock/runtime/core/connection.h>
#include <penstock/runtime/core/connection_group.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/socket_calls.h>

#include <algorithm>
#include <new>
#include <utility>

namespace penstock {
namespace {

constexpr std::size_t kHeldAsCopy = 65536;
constexpr std::size_t kWrittenPerTurn = 262144;

}  // namespace

Connection::Connection(ReactorBase& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol)
    : ProtocolOwner(reactor, std::move(protocol)), fd_(std::move(fd)) {}

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
void Connection::aboutToEnd() noexcept {
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

void Connection::received(Block& block, Bytes bytes) {
  reactor().counters().bytesIn += bytes.size();
  if (!held_) bytes = bytes.subspan(deliverPieces(block, bytes));
  if (!bytes.empty() && mayWantInput()) hold(block, bytes);
}

// How many of the bytes were delivered. What is written for them leaves before too much is.
std::size_t Connection::deliverPieces(Block& block, Bytes bytes) {
  const std::size_t mayQueue = reactor().buffers().queuedBytes() + kWrittenPerTurn;
  std::size_t delivered = 0;
  while (delivered < bytes.size() && wantsInput() && reactor().buffers().queuedBytes() < mayQueue) {
    const Bytes piece = nextPiece(bytes.subspan(delivered));
    delivered += piece.size();
    const BufferPool::Lending lending(reactor().buffers(), block, piece);
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
    if (!held_) held_ = reactor().takeHeldInput();
    if (bytes.size() <= kHeldAsCopy) return held_->appendCopy(bytes);
    const BufferPool::Lending lending(reactor().buffers(), block, bytes);
    held_->append(bytes);
  } catch (const std::bad_alloc&) {
    abortFor(AbortReason::kNoMemory);
  }
}

// What is being delivered is kept here: the protocol may lose the connection meanwhile.
void Connection::deliverHeld() {
  std::unique_ptr<WriteBuffer> held = std::move(held_);
  std::size_t mayQueue = reactor().buffers().queuedBytes() + kWrittenPerTurn;
  while (held && wantsInput() && !held->empty() && reactor().buffers().queuedBytes() < mayQueue) {
    const Bytes piece = nextPiece(held->front());
    if (Block* block = held->frontBlock()) {
      const BufferPool::Lending lending(reactor().buffers(), *block, piece);
      deliver(piece);
    } else {
      deliver(piece);
    }
    held->consume(piece.size());
    mayQueue -= piece.size();  // It was queued here.
  }
  if (held && held->empty()) {
    reactor().giveBack(std::move(held));
  } else if (mayWantInput()) {
    held_ = std::move(held);
  }
}

void Connection::hangUp(bool broken, bool hungUp) {
  const int error = broken ? kind().takeError(fd_.get()) : 0;
  if (error != 0) return connectionLost(errorOf(-error));
  const bool writing = ListNode<InWriters>::linked() || bufferedBytes() > 0;
  if (hungUp && writing) connectionLost(ConnectionError::kLost);
}

Connection::Elsewhere Connection::elsewhere() const noexcept {
  if (!user_) return Elsewhere::kNothing;
  return user_->hasRest() ? Elsewhere::kBytes : Elsewhere::kMayCome;
}

void Connection::lendDescriptor(DescriptorUser& user) {
  user_ = &user;
  stopForLending();
}

void Connection::takeDescriptorBack() {
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

void Connection::endDescriptor(bool reset) noexcept {
  if (fd_) kind().end(fd_.get(), reset);
}

}  // namespace penstock
