// uring::FileHandle: a byte stream whose reads and writes the kernel completes.
#pragma once

#include <penstock/runtime/connection.h>
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
class ZeroCopySend;

// At most one write is in flight (several would reorder), and the bytes queued behind it go out
// together with the next. Reads fill buffers that all connections share; what completes while
// reading is paused is held, copied out of them, and comes first after the resume.
// Its mirror is epoll::FileDescriptor. Twisted: iocpreactor.abstract.FileHandle.
class PENSTOCK_API FileHandle : public Connection,
                                private OperationNode<Reading>,
                                private OperationNode<Writing> {
 public:
  void flush() final { doWrite(); }
  bool inUseByKernel() const noexcept final { return reads().inFlight() || sending(); }

 protected:
  FileHandle(Reactor& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol);
  ~FileHandle() override;

  // Tells the protocol; from here on there may be completions.
  void open() { connectionMade(); }

  void startReading() final;
  void stopReading() final;
  void startWriting() final;
  void stopForLending() final;
  void continueAfterLending() final;

  // Prepare it: a read into `into`, or if that is empty into buffers of `group` that the kernel
  // picks; and a write of `from`.
  virtual void prepareRead(io_uring_sqe& entry, MutableBytes into) = 0;
  virtual void prepareWrite(io_uring_sqe& entry, std::span<const iovec> from) = 0;

 private:
  friend class ZeroCopySend;

  static constexpr std::size_t kMostBytesPerWrite = 1 << 20;
  static constexpr std::uint32_t kMostBytesPerRead = 65536;  // Of usual buffers.
  static constexpr std::uint8_t kFullReadsForBulk = 2;
  static constexpr std::uint8_t kLeastZeroCopy = 14;  // Learned: 16 KiB.
  static constexpr std::uint8_t kNoZeroCopy = 63;     // The logarithm of more than there ever is.

  enum class ReadKind : std::uint8_t {
    kMultishot,  // Buffers of the usual ring, until told to stop.
    kOnce,       // The same, for one completion.
    kBulk,       // One large buffer of the bulk ring, for one completion.
    kReadiness,  // No buffer rings here: wait until there is something,
    kBlock,      // then read into a block of our own.
    kLent,       // Wait for readiness, for whoever has borrowed the descriptor.
  };

  void letGo(bool reset) noexcept final;
  void continueDeferred() final;

  void doRead();
  bool isBulk() const noexcept { return fullReads_ >= kFullReadsForBulk; }
  bool awaitsBulkBuffer() const noexcept;
  ReadKind nextReadKind() const noexcept;
  void submitRead();
  void readCompleted(int result, std::uint32_t flags);
  void received(int result, std::uint32_t flags);
  void receivedInRing(std::size_t count, std::uint32_t flags);
  void receivedInBlock(std::size_t count);
  void dropReceived(int result, std::uint32_t flags) noexcept;
  void accept(Block& block, Bytes bytes);
  void readEnded(int result);
  void noteSize(std::size_t count) noexcept;
  void deliverHeld();
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
  const Operation& reads() const noexcept {
    return static_cast<const OperationNode<Reading>&>(*this);
  }
  const Operation& writes() const noexcept {
    return static_cast<const OperationNode<Writing>&>(*this);
  }
  static void readCompletes(Operation& operation, int result, std::uint32_t flags);
  static void writeCompletes(Operation& operation, int result, std::uint32_t flags);

  std::unique_ptr<WriteBuffer> held_;   // Received while paused; null if nothing was.
  Block* readBlock_ = nullptr;          // What a read of kind kBlock fills.
  ZeroCopySend* zeroCopies_ = nullptr;  // Not yet let go of by the kernel, the newest first.
  ReadKind readKind_ = ReadKind::kOnce;
  std::uint8_t fullReads_ = 0;               // In a row.
  std::uint8_t zeroCopyFrom_ = kNoZeroCopy;  // Sends of so many bytes or more; its logarithm.
  bool reading_ : 1 = false;                 // The protocol wants data.
  bool readable_ : 1 = false;                // A read of kind kReadiness has completed.
  bool moreWaits_ : 1 = false;               // The last read left something behind in the socket.
  bool multishotWorks_ : 1 = false;
  bool heldEnd_ : 1 = false;  // The end of input came while paused.
};

}  // namespace penstock::uring
