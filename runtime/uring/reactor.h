// uring::Reactor: ask for it to be done, hear when it is.
#pragma once

#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/core/receive_blocks.h>
#include <penstock/runtime/export.h>
#include <penstock/runtime/uring/operation.h>

#include <sys/uio.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

struct io_uring_sqe;
struct io_uring_cqe;

namespace penstock::uring {

class BufferRing;
class FileHandle;
class Ring;
class ZeroCopySend;
class ZeroCopySends;

class PENSTOCK_API Reactor : public ReactorBase {
 public:
  // Throws std::system_error when the kernel refuses a ring, or will refuse to enter it.
  static std::unique_ptr<Ring> openRing(const ReactorOptions& options);

  explicit Reactor(ReactorOptions options);
  Reactor(ReactorOptions options, std::unique_ptr<Ring> ring);
  ~Reactor() override;

  Backend backend() const noexcept override { return Backend::kUring; }
  int pollDescriptor() const noexcept override;
  int socketFlags() const noexcept override;
  Memory memory() const noexcept override;

  // The one way to submit: `prepare(entry)` fills the entry, and the completions go to
  // `operation`, which must not be in flight. Nothing is called back from here.
  template <class Prepare>
  void submit(Operation& operation, Prepare prepare) {
    io_uring_sqe& entry = nextEntry();
    prepare(entry);
    attach(entry, operation);
  }

  // Asks for `operation`, if it is in flight, to end soon. Its completion still comes, with what
  // it did or -ECANCELED.
  void cancel(Operation& operation);

  // The same for all of `operations`, now: their completions come before this returns, and no
  // others. One that the kernel does not end within kCancelPatience completes later.
  void cancelNow(std::span<Operation* const> operations);

  // A message that sends `runs`, good until the next turn: for the entry being prepared.
  msghdr& messageOf(std::span<const iovec> runs) noexcept;

  // How many runs a message may have. Each place in the submission queue has room for so many.
  static constexpr std::size_t kMostRunsPerWrite = 16;

  // How much a small read brings at most: the size of a shared receive buffer.
  static constexpr std::uint32_t kSmallRead = 16384;

  // Shared receive buffers; null where the kernel has none.
  BufferRing* receiveRing() noexcept { return receiveRing_.get(); }

  // Reads into blocks of the loop, so many at a time. Null: no memory.
  bool mayBeginBlockRead() const noexcept { return blockReads_ < kMostBlockReads; }
  Block* beginBlockRead(bool bulk) noexcept;
  void endBlockRead(Block& block) noexcept;

  // Whether there is a bulk block to read into. One that was taken only some turns ago is worth
  // waiting for: it is in the cache. One that a slow reader holds up is not, and reads of usual
  // blocks do meanwhile.
  enum class BulkBuffer { kFree, kReturning, kHeldUp };
  BulkBuffer bulkBuffer() const noexcept;

  // `handle` found the shared buffers, or the block reads, all in use: it is deferred once some
  // have come back.
  void deferUntilBuffersReturn(FileHandle& handle) noexcept;

  // Whether this turn brings several completions. Then a handle that has answered has its next read
  // handed over behind the answers, by doRead(): the first peers may have replied by then.
  bool bringsSeveral() const noexcept { return bringsSeveral_; }
  void readAfterAnswers(FileHandle& handle) noexcept;
  bool readsAfterAnswers() const noexcept { return readsAfterAnswers_; }

  // Sends of so many bytes or more start out without a copy; 0: none do.
  std::size_t zeroCopyFrom() const noexcept { return zeroCopyFrom_; }
  ZeroCopySend* takeZeroCopySend();  // Null: so many are in flight that this one must copy.

  // Whether it is asked for, and the kernel has it.
  bool multishotReceive() const noexcept;

  const Ring& ring() const noexcept { return *ring_; }
  std::uint64_t turnNumber() const noexcept { return turn_; }

 protected:
  Transport& makeStream(OwnedFd fd, std::unique_ptr<Protocol> protocol,
                        const SocketAddress& peer) override;
  Listener& makeListener(OwnedFd fd, ProtocolFactory factory, Callback atEnd) override;
  PendingConnect& makeConnect(OwnedFd fd, const sockaddr* to, socklen_t length,
                              ConnectHandler handler) override;
  penstock::Watch& makeWatch(int fd, Interest interest, WatchHandler handler) override;

  using ReactorBase::submit;
  bool mayPollHere() const noexcept override;
  void poll(std::optional<Duration> timeout) override;
  void submit() override;
  void wake() noexcept override;
  void addStats(Stats& stats) const noexcept override;
  bool hasReadyWork() const noexcept override;
  bool hasUnsubmittedWork() const noexcept override;

 private:
  // 1 MiB of shared receive buffers, and 1 MiB of blocks being read into, 2 with the bulk one.
  static constexpr std::uint16_t kSmallBuffers = 64;
  static constexpr std::size_t kMostBlockReads = 16;
  static constexpr std::uint64_t kTurnsToWaitForBulk = 8;
  static constexpr unsigned kCompletionsPerTurn = 1024;
  static constexpr std::size_t kSeveral = 4;
  static constexpr Duration kCancelPatience = std::chrono::seconds(1);
  static constexpr Duration kCancelAgainAfter = std::chrono::milliseconds(1);

  struct Message {
    msghdr header;
    std::array<iovec, kMostRunsPerWrite> runs;
  };

  io_uring_sqe& nextEntry();
  void attach(io_uring_sqe& entry, Operation& operation) noexcept;
  void complete(const io_uring_cqe& completion) noexcept;
  void resumeStarved() noexcept;
  void readOn(IntrusiveList<FileHandle, InDeferred>& answered) noexcept;
  void awaitWake();
  void tellForeignLoop() const noexcept;
  void awaitZeroCopySends();
  bool entersHere() noexcept;
  bool finishWake() noexcept;
  void leakReceiveMemory() noexcept;
  void woken(int result, std::uint32_t flags);

  ReceiveBlocks receiveBlocks_;
  std::size_t blockReads_ = 0;  // In flight.
  std::unique_ptr<Ring> ring_;
  std::unique_ptr<BufferRing> receiveRing_;
  std::unique_ptr<Message[]> messages_;  // One for each place in the submission queue.
  std::uint64_t turn_ = 0;
  std::uint64_t bulkTakenIn_ = 0;  // The turn.
  IntrusiveList<FileHandle, InDeferred> starved_;
  IntrusiveList<FileHandle, InDeferred> answering_;
  unsigned place_ = 0;  // That of the entry being prepared.
  OwnedFd event_;
  mutable OwnedFd foreignLoopEvent_;  // Readable while there is work; only for a foreign loop.
  mutable std::atomic<int> wakesForeignLoop_{-1};  // The same, for wake().
  OperationOf<Reactor, &Reactor::woken> wake_{*this};
  std::unique_ptr<ZeroCopySends> zeroCopySends_;
  std::size_t zeroCopyFrom_ = 0;
  bool bringsSeveral_ = false;
  bool readsAfterAnswers_ = false;
  bool closing_ = false;
};

}  // namespace penstock::uring
