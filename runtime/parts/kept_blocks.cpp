#include <penstock/runtime/parts/buffer_pool.h>
#include <penstock/runtime/parts/kept_blocks.h>

#include <utility>

namespace penstock {

std::shared_ptr<const void> KeptBlocks::keep(Block& block) {
  {
    const std::lock_guard lock(mutex_);
    returned_.reserve(out_ + 1);
    ++out_;
  }
  block.retain();
  return {static_cast<const void*>(&block),
          [self = shared_from_this(), &block](const void*) { self->giveBack(block); }};
}

void KeptBlocks::giveBack(Block& block) noexcept {
  const std::lock_guard lock(mutex_);
  if (!closed_) {
    returned_.push_back(&block);
    any_.store(true, std::memory_order_relaxed);
  } else if (--block.references == 0) {
    BlockPool::free(block);
  }
}

void KeptBlocks::collect() noexcept {
  const std::lock_guard lock(mutex_);
  releaseReturned();
}

void KeptBlocks::releaseReturned() noexcept {
  any_.store(false, std::memory_order_relaxed);
  out_ -= returned_.size();
  for (Block* block : returned_) block->release();
  returned_.clear();
}

void KeptBlocks::close() noexcept {
  const std::lock_guard lock(mutex_);
  releaseReturned();
  closed_ = true;
}

}  // namespace penstock
