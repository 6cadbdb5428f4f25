// uring::FileHandle: a byte stream whose reads and writes the kernel completes.
#pragma once

#include <penstock/runtime/core/connection.h>
#include <penstock/runtime/export.h>
#include <penstock/runtime/uring/operation.h>
#include <penstock/runtime/uring/reactor.h>
#include <penstock/runtime/uring/read_request.h>
#include <penstock/runtime/uring/receive_policy.h>
#include <penstock/runtime/uring/zero_copy_threshold.h>

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>

namespace penstock::uring {

struct Reading;
struct Writing;
struct Watching;
class ZeroCopySend;

// At most one write is in flight (several would reorder), and the bytes queued behind it go out
// together with the next. Reads fill buffers that all connections share; what completes while
// reading is paused is held, copied out of them, and comes first after the resume.
// Its mirror is epoll::FileDescriptor. Twisted: iocpreactor.abstract.FileHandle.
class PENSTOCK_API FileHandle : public Connection,
                                private OperationNode<Reading>,
                                private OperationNode<Writing>,
                                private OperationNode<Watching> {
 public:
  void flush() final { doWrite(); }

  // Called by the reactor behind what was written; see Reactor::readAfterAnswers().
  void doRead();

  bool inUseByKernel() const noexcept final {
    return reads().inFlight() || sending() || watches().inFlight();
  }

 protected:
  FileHandle(Reactor& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol);
  ~FileHandle() override;

  // Tells the protocol; from here on there may be completions.
  void open();

  void startReading() final;
  void stopReading() final;
  void startWriting() final;
  void stopForLending() final;
  void continueAfterLending() final;
  void watchForHangUp() final;

  // Prepare it, with the operation and the flags that the descriptor's kind has for it.
  virtual void prepareRead(io_uring_sqe& entry, const ReadRequest& request) = 0;
  virtual void prepareWrite(io_uring_sqe& entry, std::span<const iovec> from) = 0;

  // Whether prepareRead() may be asked for ReadMode::kMultishot.
  virtual bool readsMultishot() const noexcept { return false; }

 private:
  friend class ZeroCopySend;

  void letGo(bool reset) noexcept final;
  void continueDeferred() final;

  bool awaitsBulkBuffer() const noexcept;
  bool takeBlock();
  void submitRead();
  ReadRequest request() const noexcept;
  bool answers() const noexcept;
  void readCompleted(int result, std::uint32_t flags);
  void filled(std::size_t count, std::uint32_t flags);
  void continueNextTurn() noexcept;
  void deliverHeldSoon() noexcept;
  void readEnded(int result);
  void readEndedLate(int result);
  void hangUpSeen(int result, std::uint32_t flags);
  bool mayLend() const noexcept;
  void continueLending();
  void lentCompleted(int result);

  void doWrite();
  void writeCompleted(int result, std::uint32_t flags);
  bool sending() const noexcept;

  ZeroCopySend* zeroCopyFor(std::span<const iovec> runs);
  void shareOutgoing(std::size_t count, WriteBuffer& with) { outgoing_.share(count, with); }
  void zeroCopyAnswered(int result);
  void learnZeroCopy(bool copied) noexcept { zeroCopyFrom_.learn(copied, kMostBytesPerWrite); }
  void forgetZeroCopy(ZeroCopySend& send) noexcept;

  Reactor& loop() const noexcept;
  Operation& reads() noexcept { return static_cast<OperationNode<Reading>&>(*this); }
  Operation& writes() noexcept { return static_cast<OperationNode<Writing>&>(*this); }
  Operation& watches() noexcept { return static_cast<OperationNode<Watching>&>(*this); }
  const Operation& reads() const noexcept {
    return static_cast<const OperationNode<Reading>&>(*this);
  }
  const Operation& writes() const noexcept {
    return static_cast<const OperationNode<Writing>&>(*this);
  }
  const Operation& watches() const noexcept {
    return static_cast<const OperationNode<Watching>&>(*this);
  }
  static void readCompletes(Operation& operation, int result, std::uint32_t flags);
  static void writeCompletes(Operation& operation, int result, std::uint32_t flags);
  static void watchCompletes(Operation& operation, int result, std::uint32_t flags);

  // The small ones first: they fit behind the last operation.
  ReadKind readKind_ = ReadKind::kOnce;
  ReceivePolicy policy_;
  ZeroCopyThreshold zeroCopyFrom_;
  bool heldEnd_ = false;                // The end of input came while paused.
  Block* readBlock_ = nullptr;          // What a read of kind kBlock fills.
  ZeroCopySend* zeroCopies_ = nullptr;  // Not yet let go of by the kernel, the newest first.
};

}  // namespace penstock::uring
