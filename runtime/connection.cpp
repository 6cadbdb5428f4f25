#include <penstock/runtime/connection.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/reactor.h>
#include <penstock/runtime/system_calls.h>

#include <sys/socket.h>

namespace penstock {

Connection::Connection(Reactor& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol)
    : ConsumerMixin(reactor.buffers()),
      fd_(std::move(fd)),
      reactor_(reactor),
      protocol_(std::move(protocol)) {
  reactor.adopt(*this);
}

Connection::~Connection() = default;

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
  Producer* producer = setDisconnected();
  stopReading();
  ListNode<InWriters>::unlink();
  ListNode<InDeferred>::unlink();
  if (producer) guarded([producer] { producer->stopProducing(); });
  letGo(endsInReset(why));
  guarded([&] { protocol_->connectionLost(why); });
  reactor_.retire(*this);
}

// A stream that was cut short must not look complete to the peer. After an error of the socket
// there is no peer to tell, unless a borrower met the error elsewhere. An exception tells why, but
// does not take back the reset that was asked for before it.
bool Connection::endsInReset(std::error_code why) const noexcept {
  if (why == ConnectionError::kAborted || cutShort_) return true;
  if (why == ConnectionError::kProtocolFailed) return aborting();
  return why && user_;
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
  if (disconnected() || aborting() || inputEnded_) return;
  if (result < 0) return connectionLost(errorOf(result));
  endOfInput();
}

void Connection::lentRestWritten() {
  if (disconnecting() || writeDisconnecting()) startWriting();
}

std::unique_ptr<Protocol> Connection::replaceProtocol(std::unique_ptr<Protocol> next) noexcept {
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
  if (aborting()) return connectionLost(ConnectionError::kAborted);
  continueDeferred();
}

void Connection::disconnectFromReactor() noexcept {
  cutShort_ = bufferedBytes() > 0 || (user_ && user_->hasRest());
  connectionLost(aborting() ? ConnectionError::kAborted : ConnectionError::kLost);
}

void Connection::shutdownWriting() noexcept { systemCalls().shutdown(fd_.get(), SHUT_WR); }

void Connection::resetOnClose() noexcept {
  const linger immediately{1, 0};
  systemCalls().setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
}

}  // namespace penstock
