#include <penstock/runtime/epoll/file_descriptor.h>
#include <penstock/runtime/errors.h>

#include <array>
#include <cerrno>
#include <utility>

namespace penstock::epoll {
namespace {

constexpr std::uint32_t kReadEdges = EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLET;

// What makes reads end early: the end of input is behind the bytes, or urgent data among them.
constexpr std::uint32_t kCutsReads = EPOLLPRI | EPOLLRDHUP | EPOLLHUP;

}  // namespace

FileDescriptor::FileDescriptor(Reactor& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol)
    : Connection(reactor, std::move(fd), std::move(protocol)) {}

Reactor& FileDescriptor::loop() const noexcept { return static_cast<Reactor&>(reactor()); }

void FileDescriptor::open(bool readsDry) {
  readsDry_ = readsDry;
  loop().addHandler(fd_.get(), kReadEdges, *this);
  connectionMade();
}

void FileDescriptor::startReading() {
  if (inputEnded()) return;
  reading_ = true;
  readSoon();
}

// What is held comes first, in the next turn; then what is in the socket.
void FileDescriptor::readSoon() noexcept {
  if (!wantsInput() || ListNode<InDeferred>::linked()) return;
  if (holdsInput()) {
    loop().deferToNextTurn(*this);
  } else if (readable_ && !lent()) {
    loop().readAgain(*this);
  }
}

void FileDescriptor::continueDeferred() {
  if (holdsInput()) deliverHeld();
  if (disconnected()) return;
  if (lent() && !holdsInput()) return stopForLending();
  readSoon();
}

void FileDescriptor::stopReading() {
  reading_ = false;
  if (!aborting()) ListNode<InDeferred>::unlink();  // From those that read again.
}

void FileDescriptor::startWriting() {
  if (connected() && !aborting() && !ListNode<InWriters>::linked()) loop().flushSoon(*this);
}

// Changing the registration makes the kernel report what is ready already.
void FileDescriptor::stopForLending() {
  ListNode<InDeferred>::unlink();
  if (holdsInput() && mayWantInput()) return readSoon();
  watchesSpace_ = true;
  loop().changeHandler(fd_.get(), kReadEdges | EPOLLOUT, *this);
}

void FileDescriptor::continueAfterLending() {
  readable_ = true;
  if (reading_) startReading();
}

void FileDescriptor::ready(std::uint32_t events) {
  if (disconnected()) return;  // A stale event: it was lost earlier in this batch.
  if (events & kCutsReads) readsDry_ = true;
  if (lent()) return readyForUser(events);
  if (events & (EPOLLIN | EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
    readable_ = true;
    if (reading_ && !aborting()) {
      doRead();  // What came before the end is read first, and the end found by reading on.
    } else if (events & (EPOLLHUP | EPOLLERR)) {
      hangUp(events);
    }
  }
  if ((events & EPOLLOUT) && !disconnected()) {
    spaceAwaited_ = false;
    if (ListNode<InWriters>::linked() || bufferedBytes() > 0) doWrite();
  }
}

void FileDescriptor::readyForUser(std::uint32_t events) {
  constexpr std::uint32_t kReadable = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
  if (events & EPOLLOUT) {
    spaceAwaited_ = false;
    if (ListNode<InWriters>::linked() || bufferedBytes() > 0) doWrite();
  }
  if (holdsInput() && mayWantInput()) return;
  lentReady((events & kReadable) != 0, (events & EPOLLOUT) != 0);
}

void FileDescriptor::hangUp(std::uint32_t events) {
  if (aborting()) {  // As in Twisted, a protocol that asked for input again hears its end.
    if (reading_ && !(events & EPOLLIN) && isHalfCloseable()) endOfInput();
    return;
  }
  Connection::hangUp((events & EPOLLERR) != 0, (events & EPOLLHUP) != 0);
}

void FileDescriptor::doRead() {
  if (holdsInput()) return readSoon();
  if (!wantsInput() || !readable_) return;
  Block* const block = loop().receiveBlock(fullReads_ >= kFullReadsForBulk);
  if (!block) return abortFor(AbortReason::kNoMemory);
  ssize_t count;
  do {
    count = readSome({block->data, block->capacity});
  } while (count == -EINTR);
  if (count > 0) {
    noteSize(static_cast<std::size_t>(count), block->capacity);
    readable_ = count == block->capacity || readsDry_;
    received(*block, {block->data, static_cast<std::size_t>(count)});
    readSoon();
  }
  block->release();
  if (count == 0) endOfInput();
  if (count < 0) readFailed(count);
}

void FileDescriptor::noteSize(std::size_t count, std::size_t room) noexcept {
  if (count < room / 2) {
    fullReads_ = 0;
  } else if (count == room && fullReads_ < kFullReadsForBulk) {
    ++fullReads_;
  }
}

void FileDescriptor::readFailed(long error) {
  readable_ = false;
  if (error != -EAGAIN) connectionLost(errorOf(error));
}

void FileDescriptor::doWrite() {
  ListNode<InWriters>::unlink();
  if (aborting()) return;
  doWriteEarly();
  if (disconnected()) return;
  if (written(0) && !spaceAwaited_) startWriting();
}

void FileDescriptor::doWriteEarly() {
  if (aborting() || spaceAwaited_ || bufferedBytes() == 0) return;
  std::array<iovec, kMostRunsPerWrite> runs;
  const std::size_t count = outgoing_.gather(runs, kMostBytesPerWrite);
  ssize_t sent;
  do {
    sent = writeSome({runs.data(), count});
  } while (sent == -EINTR);
  if (sent < 0) return writeFailed(sent);
  std::size_t offered = 0;
  for (std::size_t i = 0; i < count; ++i) offered += runs[i].iov_len;
  outgoing_.consume(static_cast<std::size_t>(sent));
  reactor().counters().bytesOut += static_cast<std::size_t>(sent);
  if (static_cast<std::size_t>(sent) < offered) waitForSpace();
}

void FileDescriptor::writeFailed(long error) {
  if (error == -EAGAIN) return waitForSpace();
  if (error != -ENOBUFS && error != -ENOMEM) return connectionLost(errorOf(error));
  if (!ListNode<InWriters>::linked()) loop().writeLater(*this);
}

// Changing the registration makes the kernel look again, so space that came meanwhile is seen.
void FileDescriptor::waitForSpace() noexcept {
  spaceAwaited_ = true;
  if (watchesSpace_) return;
  watchesSpace_ = true;
  loop().changeHandler(fd_.get(), kReadEdges | EPOLLOUT, *this);
}

// A copy of the descriptor elsewhere would keep it in epoll, for an object that is gone.
void FileDescriptor::letGo(bool reset) noexcept {
  endDescriptor(reset);
  fd_ = loop().removeHandler(std::move(fd_));
  fd_.reset();
}

}  // namespace penstock::epoll
