// BufferPool: memory is handed out, counted and used again.
#include <penstock/runtime/parts/buffer_pool.h>
#include <penstock/runtime/parts/write_buffer.h>
#include <penstock/tests/unit/lending_block.h>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

using namespace penstock;
using penstock::testing::LendingBlock;

BOOST_AUTO_TEST_SUITE(buffer_pool_test)

namespace {

constexpr std::uint32_t kBlockSize = 512;
constexpr std::size_t kKept = 4;

struct PoolFixture {
  BlockPool pool{kBlockSize, kKept};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_block_pool, PoolFixture)

BOOST_AUTO_TEST_CASE(hands_out_blocks_with_one_reference_and_room_in_a_cache_line_of_their_own) {
  Block& block = pool.take();

  BOOST_TEST(block.references == 1u);
  BOOST_TEST(block.capacity == kBlockSize);
  BOOST_TEST(reinterpret_cast<std::uintptr_t>(block.data) % 64 == 0u);
  block.release();
}

BOOST_AUTO_TEST_CASE(lets_all_of_a_block_be_written) {
  Block& block = pool.take();

  for (std::uint32_t i = 0; i < block.capacity; ++i) block.data[i] = std::byte{0xff};

  BOOST_TEST(block.references == 1u);
  BOOST_TEST(block.home == &pool);
  block.release();
}

BOOST_AUTO_TEST_CASE(hands_a_released_block_out_again) {
  Block& first = pool.take();
  first.release();

  Block& second = pool.take();

  BOOST_TEST(&second == &first);
  BOOST_TEST(second.references == 1u);
  second.release();
}

BOOST_AUTO_TEST_CASE(takes_a_block_back_with_its_last_reference_only) {
  Block& block = pool.take();
  block.retain();

  block.release();
  BOOST_TEST(pool.used() == 1u);
  block.release();

  BOOST_TEST(pool.used() == 0u);
}

BOOST_AUTO_TEST_CASE(hands_out_no_block_twice) {
  std::vector<Block*> taken;
  for (std::size_t i = 0; i < 3 * kKept; ++i) taken.push_back(&pool.take());
  for (Block* block : taken) block->release();
  taken.clear();

  for (std::size_t i = 0; i < 3 * kKept; ++i) taken.push_back(&pool.take());

  BOOST_TEST(std::set<Block*>(taken.begin(), taken.end()).size() == taken.size());
  for (Block* block : taken) block->release();
}

BOOST_AUTO_TEST_CASE(says_when_so_many_are_in_use_that_none_should_be_kept) {
  std::vector<Block*> taken;
  while (taken.size() < kKept) {
    BOOST_TEST(pool.mayKeep());
    taken.push_back(&pool.take());
  }

  BOOST_TEST(!pool.mayKeep());

  for (Block* block : taken) block->release();
  BOOST_TEST(pool.mayKeep());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(a_buffer_pool_takes_large_blocks_for_many_bytes_and_small_ones_for_few) {
  BufferPool pool;

  Block& small = pool.takeBlock(1);
  Block& stillSmall = pool.takeBlock(BufferPool::kSmallBlock);
  Block& large = pool.takeBlock(BufferPool::kSmallBlock + 1);

  BOOST_TEST(small.capacity == BufferPool::kSmallBlock);
  BOOST_TEST(stillSmall.capacity == BufferPool::kSmallBlock);
  BOOST_TEST(large.capacity == BufferPool::kLargeBlock);
  for (Block* block : {&small, &stillSmall, &large}) block->release();
}

// Reads and writes of powers of two are the usual ones; a few bytes left over for a second block
// would double the work for them.
BOOST_AUTO_TEST_CASE(a_write_of_the_size_of_a_block_lies_in_one_run) {
  BufferPool pool;
  for (const std::uint32_t size : {BufferPool::kSmallBlock, BufferPool::kLargeBlock}) {
    WriteBuffer buffer(pool);
    const std::vector<std::byte> bytes(size);

    buffer.append(Bytes(bytes));

    BOOST_TEST(buffer.front().size() == size);
  }
}

BOOST_AUTO_TEST_CASE(a_recycled_segment_lets_go_of_its_block_and_its_owner) {
  BufferPool pool;
  LendingBlock lender{std::vector<std::byte>(1)};
  auto owner = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = owner;
  Segment& segment = pool.takeSegment();
  segment.block = &lender.block();
  segment.owner = std::move(owner);

  pool.recycle(segment);

  BOOST_TEST(lender.home());
  BOOST_TEST(watched.expired());
}

BOOST_AUTO_TEST_CASE(a_recycled_segment_is_used_again_as_if_new) {
  BufferPool pool;
  LendingBlock lender{std::vector<std::byte>(1)};
  Segment& first = pool.takeSegment();
  first.block = &lender.block();
  Segment& behind = pool.takeSegment();
  first.next = &behind;
  pool.recycle(behind);
  pool.recycle(first);

  Segment& again = pool.takeSegment();

  BOOST_TEST(&again == &first);
  BOOST_TEST(again.block == nullptr);
  BOOST_TEST(again.next == nullptr);
  BOOST_TEST(!again.owner);
  pool.recycle(again);
}

BOOST_AUTO_TEST_CASE(a_buffer_pool_names_the_lender_of_bytes_that_lie_in_what_is_lent) {
  BufferPool pool;
  LendingBlock lender{std::vector<std::byte>(3 * BufferPool::kBorrowAtLeast)};
  const Bytes all = lender.bytes();
  const Bytes lent = all.subspan(1, 2 * BufferPool::kBorrowAtLeast);
  const BufferPool::Lending lending(pool, lender.block(), lent);

  BOOST_TEST(pool.lenderOf(lent) == &lender.block());
  BOOST_TEST(pool.lenderOf(lent.last(BufferPool::kBorrowAtLeast)) == &lender.block());
  BOOST_TEST(pool.lenderOf(all) == nullptr);
  BOOST_TEST(pool.lenderOf(all.first(BufferPool::kBorrowAtLeast)) == nullptr);
  BOOST_TEST(pool.lenderOf(all.last(BufferPool::kBorrowAtLeast)) == nullptr);
  BOOST_TEST(pool.lenderOf(lent.first(BufferPool::kBorrowAtLeast - 1)) == nullptr);
}

BOOST_AUTO_TEST_CASE(a_buffer_pool_lends_nothing_unless_told_to) {
  BufferPool pool;
  const std::vector<std::byte> bytes(BufferPool::kBorrowAtLeast);

  BOOST_TEST(pool.lenderOf(bytes) == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()
