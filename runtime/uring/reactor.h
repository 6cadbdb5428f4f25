// uring::Reactor: ask for it to be done, hear when it is.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/reactor.h>
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

namespace penstock {
class WriteBuffer;
}

namespace penstock::uring {

class BufferRing;
class Ring;
class ZeroCopySend;
class ZeroCopySends;

class PENSTOCK_API Reactor : public penstock::Reactor {
 public:
  // Throws std::system_error when the kernel refuses a ring, or will refuse to enter it.
  static std::unique_ptr<Ring> openRing(const ReactorOptions& options);

  explicit Reactor(ReactorOptions options);
  Reactor(ReactorOptions options, std::unique_ptr<Ring> ring);
  ~Reactor() override;

  Backend backend() const noexcept override { return Backend::kUring; }
  int pollDescriptor() const noexcept override;
  int socketFlags() const noexcept override;

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

  // The same, in a system call of its own: what the operation kept open is let go of before this
  // returns, if it can be ended at all.
  void cancelNow(Operation& operation);

  // A message that sends `runs`, good until the next turn: for the entry being prepared.
  msghdr& messageOf(std::span<const iovec> runs) noexcept;

  // How many runs a message may have.
  static constexpr std::size_t kMostRunsPerWrite = 16;

  // Shared receive buffers; null where the kernel has none.
  BufferRing* receiveRing(bool bulk) noexcept { return bulk ? bulkRing_.get() : usualRing_.get(); }

  // Whether the bulk ring has a buffer to read into. One that was taken only some turns ago is
  // worth waiting for: it is in the cache. One that a slow reader holds up is not, and reads of
  // usual buffers do meanwhile.
  enum class BulkBuffer { kFree, kReturning, kHeldUp };
  BulkBuffer bulkBuffer() const noexcept;
  void bulkBufferTaken() noexcept { bulkTakenIn_ = turn_; }

  // `connection` found the shared buffers all in use: it is deferred once some have come back.
  void deferUntilBuffersReturn(Connection& connection) noexcept;

  // What a paused connection holds of what it has received. Give it back empty.
  std::unique_ptr<WriteBuffer> takeHolder();
  void giveBack(std::unique_ptr<WriteBuffer> holder) noexcept;

  // Memory to receive into where there are none.
  Block& receiveBlock() { return receiveBlocks_.take(); }

  // Sends of so many bytes or more start out without a copy; 0: none do.
  std::size_t zeroCopyFrom() const noexcept { return zeroCopyFrom_; }
  ZeroCopySend* takeZeroCopySend();  // Null: so many are in flight that this one must copy.

  bool multishotReceive() const noexcept { return multishotReceive_; }

  const Ring& ring() const noexcept { return *ring_; }

 protected:
  Transport& makeStream(OwnedFd fd, std::unique_ptr<Protocol> protocol) override;
  Listener& makeListener(OwnedFd fd, ProtocolFactory factory) override;
  PendingConnect& makeConnect(OwnedFd fd, const sockaddr* to, socklen_t length,
                              ConnectHandler handler) override;

  using penstock::Reactor::submit;
  bool mayPollHere() const noexcept override;
  void poll(std::optional<Duration> timeout) override;
  void submit() override;
  void wake() noexcept override;
  bool hasReadyWork() const noexcept override;
  bool hasUnsubmittedWork() const noexcept override;

 private:
  // At most 1 MiB of receive buffers for a loop, small enough to stay in the cache.
  static constexpr std::uint16_t kUsualBuffers = 64;
  static constexpr std::uint32_t kUsualSize = 8192;
  static constexpr std::uint16_t kBulkBuffers = 1;
  static constexpr std::uint32_t kBulkSize = 524288;
  static constexpr std::uint64_t kTurnsToWaitForBulk = 8;
  static constexpr unsigned kCompletionsPerTurn = 1024;
  static constexpr std::size_t kHoldersKept = 64;

  struct Message {
    msghdr header;
    std::array<iovec, kMostRunsPerWrite> runs;
  };

  io_uring_sqe& nextEntry();
  void attach(io_uring_sqe& entry, Operation& operation) noexcept;
  void complete(const io_uring_cqe& completion) noexcept;
  void feedStarved() noexcept;
  void awaitWake();
  void announceWork() const noexcept;
  void awaitZeroCopySends();
  bool entersHere() noexcept;
  bool finishWake() noexcept;
  void leakReceiveMemory() noexcept;
  void woken(int result, std::uint32_t flags);

  BlockPool receiveBlocks_;
  std::unique_ptr<Ring> ring_;
  std::unique_ptr<BufferRing> usualRing_;
  std::unique_ptr<BufferRing> bulkRing_;
  std::unique_ptr<Message[]> messages_;  // One for each place in the submission queue.
  std::uint64_t turn_ = 0;
  std::uint64_t bulkTakenIn_ = 0;  // The turn.
  IntrusiveList<Connection, InDeferred> starved_;
  std::vector<std::unique_ptr<WriteBuffer>> holders_;  // Not in use.
  unsigned place_ = 0;                                 // That of the entry being prepared.
  OwnedFd event_;
  mutable OwnedFd announcement_;  // Readable while there is work; only for a foreign loop.
  mutable std::atomic<int> announced_{-1};  // The same, for wake().
  OperationOf<Reactor, &Reactor::woken> wake_{*this};
  std::unique_ptr<ZeroCopySends> zeroCopySends_;
  std::size_t zeroCopyFrom_ = 0;
  const bool multishotReceive_;
  bool closing_ = false;
};

}  // namespace penstock::uring
