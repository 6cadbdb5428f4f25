// BufferPool: after a burst memory goes back, down to what is kept for the next.
#include <penstock/runtime/parts/buffer_pool.h>
#include <penstock/runtime/parts/write_buffer.h>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <vector>

namespace {

std::ptrdiff_t blocks = 0;    // Allocated with an alignment, as only blocks are,
std::ptrdiff_t segments = 0;  // and of the size of a segment.
bool noSegments = false;      // There is no memory for more of them.

}  // namespace

void* operator new(std::size_t size, std::align_val_t alignment) {
  void* memory = std::aligned_alloc(static_cast<std::size_t>(alignment), (size + 63) / 64 * 64);
  if (!memory) throw std::bad_alloc();
  ++blocks;
  return memory;
}

void operator delete(void* memory, std::align_val_t) noexcept {
  if (memory) --blocks;
  std::free(memory);
}

// Not every compiler tells the size at the end, so it is kept in front.
constexpr std::size_t kFront = alignof(std::max_align_t);

void* operator new(std::size_t size) {
  if (noSegments && size == sizeof(penstock::Segment)) throw std::bad_alloc();
  auto* const memory = static_cast<std::byte*>(std::malloc(kFront + size));
  if (!memory) throw std::bad_alloc();
  std::memcpy(memory, &size, sizeof size);
  segments += size == sizeof(penstock::Segment);
  return memory + kFront;
}

void operator delete(void* memory) noexcept {
  if (!memory) return;
  std::size_t size;
  std::memcpy(&size, static_cast<std::byte*>(memory) - kFront, sizeof size);
  segments -= size == sizeof(penstock::Segment);
  std::free(static_cast<std::byte*>(memory) - kFront);
}

void operator delete(void* memory, std::size_t) noexcept { operator delete(memory); }

using namespace penstock;

BOOST_AUTO_TEST_SUITE(buffer_pool_memory_test)

BOOST_AUTO_TEST_CASE(a_block_pool_keeps_no_more_unused_blocks_than_it_was_told) {
  constexpr std::size_t kKept = 4;
  const std::ptrdiff_t before = blocks;
  {
    BlockPool pool(512, kKept);
    std::vector<Block*> taken;
    for (int i = 0; i < 10; ++i) taken.push_back(&pool.take());
    BOOST_TEST(blocks - before == 10);

    for (Block* block : taken) block->release();

    BOOST_TEST(blocks - before == static_cast<std::ptrdiff_t>(kKept));
  }
  BOOST_TEST(blocks == before);
}

BOOST_AUTO_TEST_CASE(a_buffer_pool_keeps_no_more_unused_segments_than_it_says) {
  const std::ptrdiff_t before = segments;
  {
    BufferPool pool;
    std::vector<Segment*> taken;
    taken.reserve(BufferPool::kUnusedSegmentsKept + 100);
    for (std::size_t i = 0; i < taken.capacity(); ++i) taken.push_back(&pool.takeSegment());

    for (Segment* segment : taken) pool.recycle(*segment);

    BOOST_TEST(segments - before == static_cast<std::ptrdiff_t>(BufferPool::kUnusedSegmentsKept));
  }
  BOOST_TEST(segments == before);
}

BOOST_AUTO_TEST_CASE(a_buffer_pool_keeps_as_many_bytes_of_each_size_as_it_says) {
  const std::ptrdiff_t before = blocks;
  BufferPool pool;
  for (const std::uint32_t size : {BufferPool::kSmallBlock, BufferPool::kLargeBlock}) {
    const std::size_t kept = BufferPool::kUnusedBytesKept / size;
    const std::ptrdiff_t others = blocks - before;
    std::vector<Block*> taken;
    for (std::size_t i = 0; i < kept + 10; ++i) taken.push_back(&pool.takeBlock(size));

    for (Block* block : taken) block->release();

    BOOST_TEST(blocks - before - others == static_cast<std::ptrdiff_t>(kept));
  }
}

BOOST_AUTO_TEST_CASE(a_copy_that_finds_no_segment_gives_its_block_back) {
  const std::ptrdiff_t before = blocks;
  {
    BufferPool pool;
    WriteBuffer buffer(pool);
    noSegments = true;

    BOOST_CHECK_THROW(buffer.append(Bytes(std::as_bytes(std::span("copied")))), std::bad_alloc);

    noSegments = false;
    BOOST_TEST(buffer.size() == 0U);
  }
  BOOST_TEST(blocks == before);
}

BOOST_AUTO_TEST_SUITE_END()
