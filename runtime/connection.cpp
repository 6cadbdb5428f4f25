#include <penstock/runtime/connection.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/reactor.h>
#include <penstock/runtime/system_calls.h>

#include <sys/socket.h>

#include <new>

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
  guarded([this] { protocol_->connectionMade(*this); });
  if (!reads) connectionLost(std::make_error_code(std::errc::not_enough_memory));
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
  ListNode<InReactor>::unlink();  // What is open does not include this any more.
  stopReading();
  ListNode<InWriters>::unlink();
  ListNode<InDeferred>::unlink();
  if (producer) guarded([producer] { producer->stopProducing(); });
  // An exception tells why, but does not take back the reset that was asked for before it.
  const bool failedAborting = aborting() && why == ConnectionError::kProtocolFailed;
  letGo(failedAborting || why == ConnectionError::kAborted);
  guarded([&] { protocol_->connectionLost(why); });
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
