#include <penstock/runtime/epoll/file_descriptor.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/system_calls.h>

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
  loop().watch(fd_.get(), kReadEdges, *this);
  connectionMade();
}

void FileDescriptor::startReading() {
  if (inputEnded()) return;
  reading_ = true;
  if (readable_ && !lent() && !aborting() && !ListNode<InDeferred>::linked())
    loop().readAgain(*this);
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
  watchesSpace_ = true;
  loop().changeWatch(fd_.get(), kReadEdges | EPOLLOUT, *this);
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
  lentReady((events & kReadable) != 0, (events & EPOLLOUT) != 0);
}

// Reading is off. A reset is reported at once; the end of input waits until reading is on again,
// unless there is something to write, which can go nowhere.
void FileDescriptor::hangUp(std::uint32_t events) {
  if (aborting()) {  // As in Twisted, a protocol that asked for input again hears its end.
    if (reading_ && !(events & EPOLLIN) && isHalfCloseable()) endOfInput();
    return;
  }
  int error = 0;
  socklen_t length = sizeof error;
  if (events & EPOLLERR) {
    systemCalls().getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  }
  if (error != 0) return connectionLost(errorOf(-error));
  const bool writing = ListNode<InWriters>::linked() || bufferedBytes() > 0;
  if ((events & EPOLLHUP) && writing) connectionLost(ConnectionError::kLost);
}

void FileDescriptor::doRead() {
  if (!reading_ || !readable_ || aborting()) return;
  Block& block = loop().receiveBlock(fullReads_ >= kFullReadsForBulk);
  ssize_t count;
  do {
    count = readSome({block.data, block.capacity});
  } while (count == -EINTR);
  if (count > 0) received(static_cast<std::size_t>(count), block);
  block.release();
  if (count == 0) endOfInput();
  if (count < 0) readFailed(count);
}

void FileDescriptor::received(std::size_t count, Block& block) {
  noteSize(count, block.capacity);
  readable_ = count == block.capacity || readsDry_;
  {
    const Bytes bytes(block.data, count);
    const BufferPool::Lending lending(loop().buffers(), block, bytes);
    deliver(bytes);
  }
  const bool more = readable_ && reading_ && !disconnected() && !lent();
  if (more && !ListNode<InDeferred>::linked()) loop().readAgain(*this);
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
  if (static_cast<std::size_t>(sent) < offered) waitForSpace();
}

void FileDescriptor::writeFailed(long error) {
  if (error == -EAGAIN) return waitForSpace();
  if (error != -ENOBUFS && error != -ENOMEM) return connectionLost(errorOf(error));
  watchesSpace_ = false;  // The socket has space and no edge will come: have the kernel look again.
  waitForSpace();
}

// Changing the registration makes the kernel look again, so space that came meanwhile is seen.
void FileDescriptor::waitForSpace() noexcept {
  spaceAwaited_ = true;
  if (watchesSpace_) return;
  watchesSpace_ = true;
  loop().changeWatch(fd_.get(), kReadEdges | EPOLLOUT, *this);
}

void FileDescriptor::letGo(bool reset) noexcept {
  if (reset) resetOnClose();
  fd_.reset();
}

}  // namespace penstock::epoll
