// KeptBlocks: receive blocks that applications keep, on any thread and for as long as they like.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

namespace penstock {

struct Block;

// A block is counted by the loop's thread alone, so what is given back elsewhere waits here until
// the loop takes it in. Once closed, the last holder of a block frees it.
class KeptBlocks final : public std::enable_shared_from_this<KeptBlocks> {
 public:
  // Loop thread: an owner that keeps `block`, which outlives its home. May throw std::bad_alloc.
  std::shared_ptr<const void> keep(Block& block);

  // Loop thread: whether some have come back, and releasing them.
  bool any() const noexcept { return any_.load(std::memory_order_relaxed); }
  void collect() noexcept;

  // Loop thread, while the homes of all blocks are there: nothing is collected any more.
  void close() noexcept;

 private:
  void giveBack(Block& block) noexcept;  // Any thread.
  void releaseReturned() noexcept;

  std::mutex mutex_;              // Guards what follows.
  std::vector<Block*> returned_;  // Has room for all that are out.
  std::size_t out_ = 0;
  bool closed_ = false;
  std::atomic<bool> any_{false};
};

}  // namespace penstock
