#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/runtime/uring/buffer_ring.h>
#include <penstock/runtime/uring/file_handle.h>
#include <penstock/runtime/uring/ring.h>
#include <penstock/runtime/uring/zero_copy_send.h>

#include <poll.h>

#include <array>
#include <cerrno>
#include <utility>

namespace penstock::uring {

FileHandle::FileHandle(Reactor& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol)
    : Connection(reactor, std::move(fd), std::move(protocol)),
      OperationNode<Reading>(&readCompletes),
      OperationNode<Writing>(&writeCompletes),
      OperationNode<Watching>(&watchCompletes),
      zeroCopyFrom_(reactor.zeroCopyFrom()) {}

FileHandle::~FileHandle() {
  if (readBlock_) readBlock_->release();
  for (ZeroCopySend* send = zeroCopies_; send; send = send->next) send->ownerGone();
}

void FileHandle::open() {
  if (loop().multishotReceive() && readsMultishot()) policy_.allowMultishot();
  connectionMade();
}

Reactor& FileHandle::loop() const noexcept { return static_cast<Reactor&>(reactor()); }

void FileHandle::readCompletes(Operation& operation, int result, std::uint32_t flags) {
  auto& handle = static_cast<FileHandle&>(static_cast<OperationNode<Reading>&>(operation));
  handle.guard([&] { handle.readCompleted(result, flags); });
}

void FileHandle::writeCompletes(Operation& operation, int result, std::uint32_t flags) {
  auto& handle = static_cast<FileHandle&>(static_cast<OperationNode<Writing>&>(operation));
  handle.guard([&] { handle.writeCompleted(result, flags); });
}

void FileHandle::watchCompletes(Operation& operation, int result, std::uint32_t flags) {
  auto& handle = static_cast<FileHandle&>(static_cast<OperationNode<Watching>&>(operation));
  handle.guard([&] { handle.hangUpSeen(result, flags); });
}

void FileHandle::startReading() {
  if (inputEnded() || aborting()) return;
  reading_ = true;
  if (holdsInput() || heldEnd_) {
    continueNextTurn();
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
  continueNextTurn();
}

// A poll of no event hears of errors and hang-ups all the same, and of the end of the input, after
// which a multishot goes on. It stays when reading does, so that the next pause finds it there.
void FileHandle::watchForHangUp() {
  if (watches().inFlight() || lent() || disconnected()) return;
  loop().submit(watches(), [this](io_uring_sqe& entry) {
    io_uring_prep_poll_multishot(&entry, fd_.get(), 0);
  });
}

void FileHandle::hangUpSeen(int result, std::uint32_t) {
  if (result <= 0 || reading_ || lent() || disconnected() || aborting()) return;
  hangUp((result & POLLERR) != 0, (result & POLLHUP) != 0);
}

// Without the poll that waits for the borrower.
void FileHandle::continueAfterLending() {
  if (disconnected() || readKind_ != ReadKind::kLent) return;  // It is over, or had not begun.
  if (reads().inFlight()) return loop().cancel(reads());
  readKind_ = ReadKind::kOnce;
  descriptorCalls().setNonBlocking(fd_.get(), false);
  continueNextTurn();
}

// What was received before, nobody will hear once the connection is closing.
bool FileHandle::mayLend() const noexcept {
  return lent() && (disconnecting() || (!holdsInput() && !heldEnd_));
}

// The borrower's system calls must not block, so from here on the descriptor is non-blocking.
void FileHandle::continueLending() {
  if (reads().inFlight()) return;
  if (readKind_ != ReadKind::kLent) {
    readKind_ = ReadKind::kLent;
    descriptorCalls().setNonBlocking(fd_.get(), true);
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
  if (mayLend()) return continueNextTurn();
  if (!reading_) return;
  if (holdsInput() || heldEnd_ || awaitsBulkBuffer()) return continueNextTurn();
  readKind_ = policy_.next(loop().receiveRing() != nullptr);
  if (readKind_ != ReadKind::kBlock || takeBlock()) submitRead();
}

// False: there is none now; what follows from that is seen to.
bool FileHandle::takeBlock() {
  if (!loop().mayBeginBlockRead()) {
    if (!ListNode<InDeferred>::linked()) loop().deferUntilBuffersReturn(*this);
    return false;
  }
  readBlock_ = loop().beginBlockRead(policy_.isBulk());
  if (!readBlock_) abortFor(AbortReason::kNoMemory);
  return readBlock_ != nullptr;
}

bool FileHandle::awaitsBulkBuffer() const noexcept {
  return policy_.isBulk() && loop().bulkBuffer() == Reactor::BulkBuffer::kReturning;
}

void FileHandle::submitRead() {
  loop().submit(reads(), [this](io_uring_sqe& entry) {
    if (readKind_ == ReadKind::kReadiness) {
      return io_uring_prep_poll_add(&entry, fd_.get(), POLLIN);
    }
    prepareRead(entry, request());
    if (readKind_ == ReadKind::kBlock) return;
    entry.flags |= IOSQE_BUFFER_SELECT;
    entry.buf_group = loop().receiveRing()->group();
  });
}

// A multishot that polls first would take what it finds ready for one event, and miss the end that
// came with the bytes.
ReadRequest FileHandle::request() const noexcept {
  if (readKind_ == ReadKind::kBlock) {
    return {{readBlock_->data, readBlock_->capacity}, ReadMode::kPresent, false};
  }
  if (readKind_ == ReadKind::kMultishot) return {{}, ReadMode::kMultishot, false};
  return {{}, ReadMode::kNext, !policy_.readable() && !loop().readsAfterAnswers()};
}

void FileHandle::readCompleted(int result, std::uint32_t flags) {
  if (readKind_ == ReadKind::kLent) return lentCompleted(result);
  if (readKind_ == ReadKind::kReadiness && result > 0) {
    policy_.found(true);
  } else if (result > 0) {
    filled(static_cast<std::size_t>(result), flags);
  } else {
    if (readBlock_) loop().endBlockRead(*std::exchange(readBlock_, nullptr));
    mayWantInput() ? readEnded(result) : readEndedLate(result);
  }
  if (disconnected() || ListNode<InDeferred>::linked()) return;
  answers() ? loop().readAfterAnswers(*this) : doRead();
}

// Of several, and what comes next is not there yet: it will be a reply to what is written now.
bool FileHandle::answers() const noexcept {
  return loop().bringsSeveral() && ListNode<InWriters>::linked() && !reads().inFlight() &&
         !policy_.readable();
}

// Whatever becomes of the bytes, their block goes back.
void FileHandle::filled(std::size_t count, std::uint32_t flags) {
  const bool own = readBlock_ != nullptr;
  Block& block = own ? *std::exchange(readBlock_, nullptr) : loop().receiveRing()->filled(flags);
  policy_.brought(count, block.capacity, Reactor::kSmallRead,
                  (flags & IORING_CQE_F_SOCK_NONEMPTY) != 0);
  // A multishot read that has become large makes room for reads of blocks.
  if (policy_.isLarge() && readKind_ == ReadKind::kMultishot && reads().inFlight()) {
    loop().cancel(reads());
  }
  received(block, {block.data, count});
  if (holdsInput()) deliverHeldSoon();
  own ? loop().endBlockRead(block) : block.release();
}

void FileHandle::continueNextTurn() noexcept {
  if (!ListNode<InDeferred>::linked()) loop().deferToNextTurn(*this);
}

void FileHandle::deliverHeldSoon() noexcept {
  if (wantsInput()) continueNextTurn();
}

// Over, or about to be: only an error that makes writing pointless still counts.
void FileHandle::readEndedLate(int result) {
  const bool broken = result == -ECONNRESET || result == -EPIPE || result == -ETIMEDOUT;
  if (broken && !disconnected() && !aborting()) connectionLost(errorOf(result));
}

void FileHandle::readEnded(int result) {
  policy_.found(false);
  switch (-result) {
    case 0:
      if (reading_ && !holdsInput()) return endOfInput();
      heldEnd_ = true;
      if (reading_) continueNextTurn();
      return;
    case ENOBUFS:
      if (readKind_ == ReadKind::kOnce || readKind_ == ReadKind::kMultishot) {
        if (!ListNode<InDeferred>::linked()) loop().deferUntilBuffersReturn(*this);
        return;
      }
      [[fallthrough]];
    case EAGAIN:
      if (readKind_ == ReadKind::kBlock) return;  // It was not readable after all.
      [[fallthrough]];
    case ENOMEM:
      continueNextTurn();
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
  if (holdsInput()) deliverHeld();
  if (disconnected()) return;
  if (holdsInput()) return deliverHeldSoon();
  if (reading_ && heldEnd_) {
    heldEnd_ = false;
    endOfInput();
  }
  doRead();
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
  if (!zeroCopyFrom_.isReachedBy(outgoing_.size())) return nullptr;
  std::size_t bytes = 0;
  for (const iovec& run : runs) bytes += run.iov_len;
  ZeroCopySend* const send = zeroCopyFrom_.isReachedBy(bytes) ? loop().takeZeroCopySend() : nullptr;
  if (!send) return nullptr;
  send->start(*this);
  send->next = std::exchange(zeroCopies_, send);
  return send;
}

// What only a send of this kind can meet makes the next one an ordinary one.
void FileHandle::zeroCopyAnswered(int result) {
  const bool unknown = result == -EINVAL || result == -EOPNOTSUPP;
  if (unknown) zeroCopyFrom_.giveUp();
  if (result == -ENOMEM || result == -ENOBUFS) learnZeroCopy(true);  // Locked memory has a limit.
  writeCompleted(unknown ? -EAGAIN : result, 0);
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
      return loop().writeLater(*this);
    case EINTR:
    case ECANCELED:
      return startWriting();
    default:
      break;
  }
  if (result < 0) return aborting() ? void() : connectionLost(errorOf(result));
  reactor().counters().bytesOut += static_cast<std::size_t>(result);
  if (written(static_cast<std::size_t>(result))) doWrite();
}

void FileHandle::letGo(bool reset) noexcept {
  endDescriptor(reset);
  loop().cancel(reads());
  loop().cancel(watches());
  loop().cancel(writes());
  if (zeroCopies_ && zeroCopies_->awaitsResult()) loop().cancel(zeroCopies_->operation());
  if (!inUseByKernel()) fd_.reset();
}

}  // namespace penstock::uring
