#include <penstock/runtime/connection.h>
#include <penstock/runtime/connection_group.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/reactor.h>
#include <penstock/runtime/system_calls.h>

#include <sys/socket.h>

#include <new>
#include <stdexcept>
#include <utility>

namespace penstock {

Connection::Connection(Reactor& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol)
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
    return systemCalls().getpeername(fd_.get(), address, length);
  });
}

SocketAddress Connection::hostAddress() const noexcept {
  if (disconnected()) {
    const SocketAddress kept = names_.host();
    return kept.empty() && group_ ? group_->host() : kept;
  }
  return SocketAddress::filledBy([this](sockaddr* address, socklen_t* length) {
    return systemCalls().getsockname(fd_.get(), address, length);
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
  try {
    call();
  } catch (...) {
    reactor_.logException("a connection's callback");
    connectionLost(ConnectionError::kProtocolFailed);
  }
}

void Connection::connectionMade() {
  setConnected();
  startReading();
  guarded([this] { protocol_->connectionMade(*this); });
}

void Connection::deliver(Bytes bytes) {
  guarded([&] { protocol_->dataReceived(bytes); });
}

void Connection::endOfInput() {
  inputEnded_ = true;
  stopReading();
  if (!isHalfCloseable()) return connectionLost({});
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
  keepNames();
  Producer* producer = setDisconnected();
  stopReading();
  ListNode<InWriters>::unlink();
  ListNode<InDeferred>::unlink();
  if (producer) guarded([producer] { producer->stopProducing(); });
  // An exception tells why, but does not take back the reset that was asked for before it.
  const bool failedAborting = aborting() && why == ConnectionError::kProtocolFailed;
  letGo(failedAborting || why == ConnectionError::kAborted);
  guarded([&] { protocol_->connectionLost(why); });
  leaveGroup();
  reactor_.retire(*this);
}

void Connection::lend(DescriptorUser& user) {
  user_ = &user;
  stopForLending();
}

void Connection::lentReady(bool readable, bool writable) {
  if (!disconnected() && !aborting()) user_->descriptorReady(readable, writable);
}

void Connection::lentReadEnded(ssize_t result) {
  if (disconnected() || aborting() || inputEnded_) return;
  if (result < 0) return connectionLost(errorOf(result));
  endOfInput();
}

void Connection::lentRestWritten() {
  if (disconnecting() || writeDisconnecting()) startWriting();
}

std::unique_ptr<Protocol> Connection::replaceProtocol(std::unique_ptr<Protocol> next) noexcept {
  return std::exchange(protocol_, std::move(next));
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
  if (aborting()) return connectionLost(ConnectionError::kAborted);
  continueDeferred();
}

void Connection::disconnectFromReactor() noexcept {
  connectionLost(aborting() ? ConnectionError::kAborted : ConnectionError::kLost);
}

void Connection::shutdownWriting() noexcept { systemCalls().shutdown(fd_.get(), SHUT_WR); }

void Connection::resetOnClose() noexcept {
  const linger immediately{1, 0};
  systemCalls().setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
}

}  // namespace penstock
