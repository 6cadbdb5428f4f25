// BufferPool: the memory of a loop's bytes, recycled so that no byte's path allocates.
#pragma once

#include <penstock/runtime/buffer.h>
#include <penstock/runtime/bytes.h>
#include <penstock/runtime/export.h>
#include <penstock/runtime/parts/kept_blocks.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>

namespace penstock {

struct Block;

// Where a Block goes when nobody refers to it any more.
class BlockHome {
 public:
  virtual void blockReleased(Block& block) noexcept = 0;

  // Whether a write buffer may refer to one more of these blocks instead of copying out of it:
  // no, when so many are held that receiving would starve.
  virtual bool mayKeep() const noexcept = 0;

  // Whether a block may be used after its home is gone: it is memory of its own, to be freed with
  // BlockPool::free().
  virtual bool blocksMayOutliveIt() const noexcept { return false; }

 protected:
  ~BlockHome() = default;
};

// Memory that does not move, counted by those who refer to it. One loop's thread.
struct Block {
  BlockHome* home = nullptr;
  std::byte* data = nullptr;
  std::uint32_t capacity = 0;
  std::uint32_t references = 0;
  Block* next = nullptr;  // While it lies in its home.

  void retain() noexcept { ++references; }
  void release() noexcept {
    if (--references == 0) home->blockReleased(*this);
  }
};

// A run of bytes queued for sending. They lie in `block`, or are kept alive by `owner`.
struct Segment {
  const std::byte* begin = nullptr;
  const std::byte* end = nullptr;
  Segment* next = nullptr;
  Block* block = nullptr;
  std::shared_ptr<const void> owner;
  bool appendable = false;  // The block is ours alone: there may be room behind `end`.
};

// Blocks of one size, kept for reuse up to a limit.
class PENSTOCK_API BlockPool final : public BlockHome {
 public:
  // `kept` is how many unused blocks stay allocated.
  BlockPool(std::uint32_t blockSize, std::size_t kept) noexcept
      : blockSize_(blockSize), kept_(kept) {}
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool();

  Block& take();  // With one reference. May throw std::bad_alloc.
  void blockReleased(Block& block) noexcept override;
  bool mayKeep() const noexcept override { return used_ < kept_; }
  bool blocksMayOutliveIt() const noexcept override { return true; }
  static void free(Block& block) noexcept;
  std::uint32_t blockSize() const noexcept { return blockSize_; }
  std::size_t used() const noexcept { return used_; }
  std::size_t allocatedBytes() const noexcept { return (used_ + unused_) * blockSize_; }

 private:
  const std::uint32_t blockSize_;
  const std::size_t kept_;
  std::size_t used_ = 0;
  std::size_t unused_ = 0;
  Block* free_ = nullptr;
};

// What write buffers are made of, and which received bytes they may borrow. Owned by a reactor;
// it must outlive every write buffer that uses it.
class PENSTOCK_API BufferPool {
 public:
  static constexpr std::uint32_t kSmallBlock = 2048;        // For a message or a few.
  static constexpr std::uint32_t kLargeBlock = 16384;       // For bulk.
  static constexpr std::size_t kUnusedBytesKept = 4 << 20;  // Of each size.
  static constexpr std::size_t kUnusedSegmentsKept = 16384;

  // Below this many bytes a copy is cheaper than keeping a receive buffer from its next use.
  static constexpr std::size_t kBorrowAtLeast = 2048;

  BufferPool() noexcept
      : small_(kSmallBlock, kUnusedBytesKept / kSmallBlock),
        large_(kLargeBlock, kUnusedBytesKept / kLargeBlock) {}
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  // A block to copy `bytes` into, large if they are many. With one reference.
  Block& takeBlock(std::size_t bytes) {
    return bytes <= kSmallBlock ? small_.take() : large_.take();
  }

  // What all write buffers hold, in bytes, and how much they may before isOverLimit().
  void queued(std::size_t bytes) noexcept { queued_ += bytes; }
  void unqueued(std::size_t bytes) noexcept { queued_ -= bytes; }
  std::size_t queuedBytes() const noexcept { return queued_; }
  void setLimit(std::size_t bytes) noexcept { limit_ = bytes; }
  bool isOverLimit() const noexcept { return queued_ - condemned_ > limit_; }

  // Of these, what lies with who was lost for the limit: others are not lost for it as well.
  void condemned(std::size_t bytes) noexcept { condemned_ += bytes; }
  void uncondemned(std::size_t bytes) noexcept { condemned_ -= bytes; }

  // The blocks that were allocated to copy into, used and unused, in bytes.
  std::size_t allocatedBytes() const noexcept {
    return small_.allocatedBytes() + large_.allocatedBytes();
  }

  // See Transport::keep(). Buffers may come back from any thread; collectKept() takes them in, and
  // closeKept(), before any block's home goes, lets those that are still out free themselves.
  Buffer keep(Bytes bytes);
  void collectKept() noexcept {
    if (kept_ && kept_->any()) kept_->collect();
  }
  void closeKept() noexcept {
    if (kept_) kept_->close();
  }

  Segment& takeSegment();
  void recycle(Segment& segment) noexcept;  // Releases what it refers to.

  // While a protocol is being handed `bytes` of `block`, writing them on needs no copy.
  class Lending {
   public:
    Lending(BufferPool& pool, Block& block, Bytes bytes) noexcept
        : pool_(pool), outerBlock_(pool.lentBlock_), outerBytes_(pool.lent_) {
      pool.lentBlock_ = &block;
      pool.lent_ = bytes;
    }
    Lending(const Lending&) = delete;
    Lending& operator=(const Lending&) = delete;
    ~Lending() {
      pool_.lentBlock_ = outerBlock_;
      pool_.lent_ = outerBytes_;
    }

   private:
    BufferPool& pool_;
    Block* outerBlock_;
    Bytes outerBytes_;
  };

  // The block that `bytes` lie in and may be borrowed from; null if they must be copied.
  Block* lenderOf(Bytes bytes) const noexcept {
    if (bytes.size() < kBorrowAtLeast || !lentBlock_) return nullptr;
    const bool inside =
        bytes.data() >= lent_.data() && bytes.data() + bytes.size() <= lent_.data() + lent_.size();
    return inside && lentBlock_->home->mayKeep() ? lentBlock_ : nullptr;
  }

 private:
  BlockPool small_;
  BlockPool large_;
  Segment* freeSegments_ = nullptr;
  std::size_t unusedSegments_ = 0;
  std::size_t queued_ = 0;
  std::size_t condemned_ = 0;
  std::size_t limit_ = std::numeric_limits<std::size_t>::max();
  std::shared_ptr<KeptBlocks> kept_;  // Null until the first is.
  Block* lentBlock_ = nullptr;
  Bytes lent_;
};

}  // namespace penstock
