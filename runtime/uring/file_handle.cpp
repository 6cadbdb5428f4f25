#include <penstock/runtime/errors.h>
#include <penstock/runtime/system_calls.h>
#include <penstock/runtime/uring/buffer_ring.h>
#include <penstock/runtime/uring/file_handle.h>
#include <penstock/runtime/uring/ring.h>
#include <penstock/runtime/uring/zero_copy_send.h>

#include <poll.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <utility>

namespace penstock::uring {

FileHandle::FileHandle(Reactor& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol)
    : Connection(reactor, std::move(fd), std::move(protocol)),
      OperationNode<Reading>(&readCompletes),
      OperationNode<Writing>(&writeCompletes) {
  if (reactor.zeroCopyFrom() > 0) {
    zeroCopyFrom_ = static_cast<std::uint8_t>(std::bit_width(reactor.zeroCopyFrom() - 1));
  }
  if (!reactor.multishotReceive() || !reactor.ring().has(kMultishotReceive)) return;
  multishotWorks_ = !isUnixSocket(fd_.get());
}

FileHandle::~FileHandle() {
  if (readBlock_) readBlock_->release();
  for (ZeroCopySend* send = zeroCopies_; send; send = send->next) send->ownerGone();
}

Reactor& FileHandle::loop() const noexcept { return static_cast<Reactor&>(reactor()); }

void FileHandle::readCompletes(Operation& operation, int result, std::uint32_t flags) {
  static_cast<FileHandle&>(static_cast<OperationNode<Reading>&>(operation))
      .readCompleted(result, flags);
}

void FileHandle::writeCompletes(Operation& operation, int result, std::uint32_t flags) {
  static_cast<FileHandle&>(static_cast<OperationNode<Writing>&>(operation))
      .writeCompleted(result, flags);
}

void FileHandle::startReading() {
  if (inputEnded() || aborting()) return;
  reading_ = true;
  if (held_ || heldEnd_) {
    if (!ListNode<InDeferred>::linked()) loop().deferToNextTurn(*this);
  } else {
    doRead();
  }
}

// A read for one completion is left in flight: at most what it brings is held.
void FileHandle::stopReading() {
  const bool wasReading = reading_;
  reading_ = false;
  if (wasReading && reads().inFlight() && readKind_ == ReadKind::kMultishot) loop().cancel(reads());
}

void FileHandle::startWriting() {
  if (!sending()) Connection::startWriting();
}

void FileHandle::stopForLending() {
  if (reads().inFlight()) loop().cancel(reads());
  if (!ListNode<InDeferred>::linked()) loop().deferToNextTurn(*this);
}

// Without the poll that waits for the borrower.
void FileHandle::continueAfterLending() {
  if (disconnected() || readKind_ != ReadKind::kLent) return;  // It is over, or had not begun.
  if (reads().inFlight()) return loop().cancel(reads());
  readKind_ = ReadKind::kOnce;
  systemCalls().setNonBlocking(fd_.get(), false);
  if (!ListNode<InDeferred>::linked()) loop().deferToNextTurn(*this);
}

// What was received before, nobody will hear once the connection is closing.
bool FileHandle::mayLend() const noexcept {
  return lent() && (disconnecting() || (!held_ && !heldEnd_));
}

// The borrower's system calls must not block, so from here on the descriptor is non-blocking.
void FileHandle::continueLending() {
  if (reads().inFlight()) return;
  if (readKind_ != ReadKind::kLent) {
    readKind_ = ReadKind::kLent;
    systemCalls().setNonBlocking(fd_.get(), true);
    lentReady(true, true);
  }
  if (disconnected() || !lent()) return;
  loop().submit(reads(), [this](io_uring_sqe& entry) {
    io_uring_prep_poll_multishot(&entry, fd_.get(), POLLIN | POLLOUT | POLLRDHUP);
  });
}

void FileHandle::lentCompleted(int result) {
  if (!lent()) return continueAfterLending();
  constexpr int kReadable = POLLIN | POLLRDHUP | POLLHUP | POLLERR;
  switch (-result) {
    case ECANCELED:
    case EINTR:
    case EAGAIN:
    case ENOMEM:
    case ENOBUFS:
      return continueLending();
    default:
      break;
  }
  if (result < 0) return connectionLost(errorOf(result));
  if (result > 0) {
    if ((result & POLLOUT) && bufferedBytes() > 0) startWriting();
    lentReady((result & kReadable) != 0, (result & POLLOUT) != 0);
  }
  if (!disconnected() && lent()) continueLending();
}

void FileHandle::doRead() {
  if (reads().inFlight() || disconnected()) return;
  if (mayLend()) {
    if (!ListNode<InDeferred>::linked()) loop().deferToNextTurn(*this);
    return;
  }
  if (!reading_ || held_ || heldEnd_) return;
  if (awaitsBulkBuffer()) {
    if (!ListNode<InDeferred>::linked()) loop().deferToNextTurn(*this);
    return;
  }
  readKind_ = nextReadKind();
  if (readKind_ == ReadKind::kBlock && !readBlock_) readBlock_ = &loop().receiveBlock();
  submitRead();
}

bool FileHandle::awaitsBulkBuffer() const noexcept {
  return isBulk() && loop().bulkBuffer() == Reactor::BulkBuffer::kReturning;
}

FileHandle::ReadKind FileHandle::nextReadKind() const noexcept {
  if (!loop().receiveRing(false)) return readable_ ? ReadKind::kBlock : ReadKind::kReadiness;
  if (isBulk() && loop().bulkBuffer() == Reactor::BulkBuffer::kFree) return ReadKind::kBulk;
  return multishotWorks_ ? ReadKind::kMultishot : ReadKind::kOnce;
}

void FileHandle::submitRead() {
  loop().submit(reads(), [this](io_uring_sqe& entry) {
    if (readKind_ == ReadKind::kReadiness) {
      return io_uring_prep_poll_add(&entry, fd_.get(), POLLIN);
    }
    if (readKind_ == ReadKind::kBlock) {
      return prepareRead(entry, {readBlock_->data, readBlock_->capacity});
    }
    prepareRead(entry, {});
    entry.flags |= IOSQE_BUFFER_SELECT;
    entry.buf_group = loop().receiveRing(readKind_ == ReadKind::kBulk)->group();
    if (readKind_ == ReadKind::kMultishot) entry.ioprio |= IORING_RECV_MULTISHOT;
    const bool bundles = readKind_ != ReadKind::kBulk && loop().ring().has(kReceiveBundles);
    if (bundles) entry.ioprio |= kRecvSendBundle;
    if (readKind_ == ReadKind::kOnce) entry.len = kMostBytesPerRead;
    // A multishot that polls first takes what it finds ready for one event: it would receive the
    // bytes and miss the end that came with them.
    if (!moreWaits_ && readKind_ != ReadKind::kMultishot) {
      entry.ioprio |= IORING_RECVSEND_POLL_FIRST;
    }
  });
}

void FileHandle::readCompleted(int result, std::uint32_t flags) {
  if (readKind_ == ReadKind::kLent) return lentCompleted(result);
  if (disconnected() || disconnecting() || aborting()) {
    dropReceived(result, flags);
  } else if (result > 0) {
    received(result, flags);
  } else {
    readEnded(result);
  }
  if (!disconnected() && !ListNode<InDeferred>::linked()) doRead();
}

// Over, or about to be: only an error that makes writing pointless still counts.
void FileHandle::dropReceived(int result, std::uint32_t flags) noexcept {
  if (result > 0 && (flags & IORING_CQE_F_BUFFER)) {
    BufferRing::Filled filled(*loop().receiveRing(readKind_ == ReadKind::kBulk), flags, result);
    Bytes bytes;
    while (!filled.empty()) filled.take(bytes).release();
  }
  const bool broken = result == -ECONNRESET || result == -EPIPE || result == -ETIMEDOUT;
  if (broken && !disconnected() && !aborting()) connectionLost(errorOf(result));
}

void FileHandle::received(int result, std::uint32_t flags) {
  const auto count = static_cast<std::size_t>(result);
  if (readKind_ == ReadKind::kReadiness) {
    readable_ = true;
    return;
  }
  if (readKind_ == ReadKind::kBulk) loop().bulkBufferTaken();
  moreWaits_ = (flags & IORING_CQE_F_SOCK_NONEMPTY) != 0;
  noteSize(count);
  if (readKind_ == ReadKind::kBlock) {
    receivedInBlock(count);
  } else {
    receivedInRing(count, flags);
  }
}

void FileHandle::receivedInRing(std::size_t count, std::uint32_t flags) {
  BufferRing::Filled filled(*loop().receiveRing(readKind_ == ReadKind::kBulk), flags, count);
  while (!filled.empty()) {
    Bytes bytes;
    Block& block = filled.take(bytes);
    accept(block, bytes);
    block.release();
  }
}

void FileHandle::receivedInBlock(std::size_t count) {
  Block& block = *std::exchange(readBlock_, nullptr);
  readable_ = count == block.capacity;
  accept(block, {block.data, count});
  block.release();
}

// Delivers `bytes`, or holds a copy of them while the protocol wants none.
void FileHandle::accept(Block& block, Bytes bytes) {
  if (disconnected() || disconnecting() || aborting()) return;
  if (reading_ && !held_) {
    const BufferPool::Lending lending(loop().buffers(), block, bytes);
    return deliver(bytes);
  }
  if (!held_) held_ = loop().takeHolder();
  held_->appendCopy(bytes);
}

// A multishot read that has become bulk makes room for reads of large buffers.
void FileHandle::noteSize(std::size_t count) noexcept {
  if (count < kMostBytesPerRead || !moreWaits_) {
    fullReads_ = 0;
  } else if (fullReads_ < kFullReadsForBulk && ++fullReads_ == kFullReadsForBulk) {
    if (readKind_ == ReadKind::kMultishot && reads().inFlight()) loop().cancel(reads());
  }
}

void FileHandle::readEnded(int result) {
  readable_ = false;
  switch (-result) {
    case 0:
      if (reading_ && !held_) return endOfInput();
      heldEnd_ = true;
      if (reading_ && !ListNode<InDeferred>::linked()) loop().deferToNextTurn(*this);
      return;
    case ENOBUFS:
      if (readKind_ == ReadKind::kOnce || readKind_ == ReadKind::kMultishot) {
        if (!ListNode<InDeferred>::linked()) loop().deferUntilBuffersReturn(*this);
        return;
      }
      [[fallthrough]];
    case EAGAIN:
    case ENOMEM:
      if (!ListNode<InDeferred>::linked()) loop().deferToNextTurn(*this);
      return;
    case ECANCELED:
    case EINTR:
      return;
    default:
      return connectionLost(errorOf(result));
  }
}

void FileHandle::continueDeferred() {
  if (mayLend()) return continueLending();
  if (held_) deliverHeld();
  if (disconnected() || held_) return;
  if (reading_ && heldEnd_) {
    heldEnd_ = false;
    endOfInput();
  }
  doRead();
}

// What is being delivered is kept here: the protocol may lose the connection meanwhile.
void FileHandle::deliverHeld() {
  std::unique_ptr<WriteBuffer> held = std::move(held_);
  while (reading_ && !disconnected() && !held->empty()) {
    const std::size_t count = held->front().size();
    deliver(held->front());
    held->consume(count);
  }
  if (held->empty()) {
    loop().giveBack(std::move(held));
  } else if (!disconnected()) {
    held_ = std::move(held);
  }
}

bool FileHandle::sending() const noexcept {
  return writes().inFlight() || (zeroCopies_ && zeroCopies_->awaitsResult());
}

void FileHandle::doWrite() {
  if (sending() || aborting() || disconnected()) return;
  std::array<iovec, Reactor::kMostRunsPerWrite> space;
  const std::span runs(space.data(), outgoing_.gather(space, kMostBytesPerWrite));
  ZeroCopySend* const zeroCopy = zeroCopyFor(runs);
  loop().submit(zeroCopy ? zeroCopy->operation() : writes(), [&](io_uring_sqe& entry) {
    if (runs.empty()) return io_uring_prep_nop(&entry);  // What waits for an empty buffer follows.
    prepareWrite(entry, runs);
    if (zeroCopy) ZeroCopySend::convert(entry);
  });
}

// Null: an ordinary send.
ZeroCopySend* FileHandle::zeroCopyFor(std::span<const iovec> runs) {
  if (outgoing_.size() >> zeroCopyFrom_ == 0) return nullptr;
  std::size_t bytes = 0;
  for (const iovec& run : runs) bytes += run.iov_len;
  ZeroCopySend* const send = bytes >> zeroCopyFrom_ == 0 ? nullptr : loop().takeZeroCopySend();
  if (!send) return nullptr;
  send->start(*this);
  send->next = std::exchange(zeroCopies_, send);
  return send;
}

// What only a send of this kind can meet makes the next one an ordinary one.
void FileHandle::zeroCopyAnswered(int result) {
  const bool unknown = result == -EINVAL || result == -EOPNOTSUPP;
  if (unknown) zeroCopyFrom_ = kNoZeroCopy;
  if (result == -ENOMEM || result == -ENOBUFS) learnZeroCopy(true);  // Locked memory has a limit.
  writeCompleted(unknown ? -EAGAIN : result, 0);
}

// Where the bytes were copied after all, as to this very machine, it must be worth more next time.
void FileHandle::learnZeroCopy(bool copied) noexcept {
  if (zeroCopyFrom_ == kNoZeroCopy) return;
  if (!copied) {
    if (zeroCopyFrom_ > kLeastZeroCopy) --zeroCopyFrom_;
  } else if (std::size_t{1} << ++zeroCopyFrom_ > kMostBytesPerWrite) {
    zeroCopyFrom_ = kNoZeroCopy;
  }
}

void FileHandle::forgetZeroCopy(ZeroCopySend& send) noexcept {
  ZeroCopySend** link = &zeroCopies_;
  while (*link != &send) link = &(*link)->next;
  *link = send.next;
}

void FileHandle::writeCompleted(int result, std::uint32_t) {
  if (disconnected()) return;
  switch (-result) {
    case EAGAIN:
      // Space may have been reported before this: then only a new poll tells of it again.
      if (lent()) return loop().cancel(reads());
      [[fallthrough]];
    case ENOBUFS:
    case ENOMEM:
    case EINTR:
    case ECANCELED:
      return startWriting();
    default:
      break;
  }
  if (result < 0) return aborting() ? void() : connectionLost(errorOf(result));
  if (written(static_cast<std::size_t>(result))) doWrite();
}

void FileHandle::letGo(bool reset) noexcept {
  if (reset) resetOnClose();  // What is held goes with this object: it may be being delivered.
  loop().cancel(reads());
  loop().cancel(writes());
  if (zeroCopies_ && zeroCopies_->awaitsResult()) loop().cancel(zeroCopies_->operation());
  if (!inUseByKernel()) fd_.reset();
}

}  // namespace penstock::uring
