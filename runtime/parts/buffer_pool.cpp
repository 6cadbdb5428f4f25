#include <penstock/runtime/parts/buffer_pool.h>

#include <new>
#include <vector>

namespace penstock {
namespace {

// A block's memory starts with the Block itself, padded so that the bytes start a cache line. It
// comes on top of the size: messages are powers of two, and one must fit the block of its size.
constexpr std::size_t kHeader = 64;
static_assert(sizeof(Block) <= kHeader);

}  // namespace

BlockPool::~BlockPool() {
  while (free_) {
    Block* block = free_;
    free_ = block->next;
    free(*block);
  }
}

void BlockPool::free(Block& block) noexcept {
  ::operator delete (&block, std::align_val_t{kHeader});
}

Block& BlockPool::take() {
  Block* block = free_;
  if (block) {
    free_ = block->next;
    --unused_;
  } else {
    void* memory = ::operator new (kHeader + blockSize_, std::align_val_t{kHeader});
    block = ::new (memory) Block;
    block->home = this;
    block->data = static_cast<std::byte*>(memory) + kHeader;
    block->capacity = blockSize_;
  }
  ++used_;
  block->references = 1;
  return *block;
}

void BlockPool::blockReleased(Block& block) noexcept {
  --used_;
  if (unused_ >= kept_) return free(block);
  block.next = free_;
  free_ = &block;
  ++unused_;
}

BufferPool::~BufferPool() {
  closeKept();
  while (freeSegments_) {
    Segment* segment = freeSegments_;
    freeSegments_ = segment->next;
    delete segment;
  }
}

Buffer BufferPool::keep(Bytes bytes) {
  Block* const lender = lenderOf(bytes);
  if (!lender || !lender->home->blocksMayOutliveIt()) {
    return Buffer(std::vector<std::byte>(bytes.begin(), bytes.end()));
  }
  if (!kept_) kept_ = std::make_shared<KeptBlocks>();
  return Buffer(kept_->keep(*lender), bytes);
}

Segment& BufferPool::takeSegment() {
  if (!freeSegments_) return *new Segment;
  Segment& segment = *freeSegments_;
  freeSegments_ = segment.next;
  --unusedSegments_;
  segment.next = nullptr;
  return segment;
}

void BufferPool::recycle(Segment& segment) noexcept {
  if (segment.block) segment.block->release();
  segment.block = nullptr;
  segment.owner.reset();
  if (unusedSegments_ >= kUnusedSegmentsKept) {
    delete &segment;
    return;
  }
  segment.next = freeSegments_;
  freeSegments_ = &segment;
  ++unusedSegments_;
}

}  // namespace penstock
