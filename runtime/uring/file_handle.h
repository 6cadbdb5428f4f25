// uring::FileHandle: a byte stream whose reads and writes the kernel completes.
#pragma once

#include <penstock/runtime/core/connection.h>
#include <penstock/runtime/export.h>
#include <penstock/runtime/uring/operation.h>
#include <penstock/runtime/uring/reactor.h>

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
  void open() { connectionMade(); }

  void startReading() final;
  void stopReading() final;
  void startWriting() final;
  void stopForLending() final;
  void watchForHangUp() final;
  void continueAfterLending() final;

  // Prepare it: a read into `into` that does not wait, or if that is empty one that waits, into a
  // buffer that the kernel picks; and a write of `from`.
  virtual void prepareRead(io_uring_sqe& entry, MutableBytes into) = 0;
  virtual void prepareWrite(io_uring_sqe& entry, std::span<const iovec> from) = 0;

 private:
  friend class ZeroCopySend;

  static constexpr std::size_t kMostBytesPerWrite = 1 << 20;
  static constexpr std::uint8_t kFullReadsForBulk = 2;
  static constexpr std::uint8_t kLeastZeroCopy = 14;  // Learned: 16 KiB.
  static constexpr std::uint8_t kNoZeroCopy = 63;     // The logarithm of more than there ever is.

  enum class ReadKind : std::uint8_t {
    kMultishot,  // Small: into buffers that the kernel picks, until told to stop.
    kOnce,       // The same, for one completion.
    kReadiness,  // Large, or no buffer ring here: wait until there is something,
    kBlock,      // then read into a block of our own, without waiting.
    kLent,       // Wait for readiness, for whoever has borrowed the descriptor.
  };

  void letGo(bool reset) noexcept final;
  void continueDeferred() final;

  bool isBulk() const noexcept { return fullReads_ >= kFullReadsForBulk; }
  bool awaitsBulkBuffer() const noexcept;
  ReadKind nextReadKind() const noexcept;
  void submitRead();
  bool answers() const noexcept;
  void readCompleted(int result, std::uint32_t flags);
  void filled(std::size_t count, std::uint32_t flags);
  void continueNextTurn() noexcept;
  void deliverHeldSoon() noexcept;
  void readEnded(int result);
  void readEndedLate(int result);
  void noteSize(std::size_t count, std::size_t room) noexcept;
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
  void learnZeroCopy(bool copied) noexcept;
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
  std::uint8_t fullReads_ = 0;               // In a row.
  std::uint8_t zeroCopyFrom_ = kNoZeroCopy;  // Sends of so many bytes or more; its logarithm.
  bool large_ : 1 = false;                   // The last read was more than a small buffer holds.
  bool continues_ : 1 = false;               // The last read left something behind.
  bool readable_ : 1 = false;                // Something waits in the socket, as far as we know.
  bool multishotWorks_ : 1 = false;
  bool heldEnd_ : 1 = false;            // The end of input came while paused.
  Block* readBlock_ = nullptr;          // What a read of kind kBlock fills.
  ZeroCopySend* zeroCopies_ = nullptr;  // Not yet let go of by the kernel, the newest first.
};

}  // namespace penstock::uring
