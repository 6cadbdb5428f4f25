#define BOOST_TEST_MODULE buffer_pool
#include <penstock/runtime/buffer_pool.h>
#include <penstock/runtime/write_buffer.h>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <initializer_list>
#include <vector>

namespace penstock {
namespace {

BOOST_AUTO_TEST_CASE(a_block_holds_as_many_bytes_as_its_size_says) {
  for (const std::uint32_t size : {std::uint32_t{2048}, std::uint32_t{65536}}) {
    BlockPool pool(size, 1);

    Block& block = pool.take();

    BOOST_TEST(block.capacity == size);
    block.release();
  }
}

// Reads and writes of powers of two are the usual ones; a few bytes left over for a second block
// would double the work for them.
BOOST_AUTO_TEST_CASE(a_write_of_the_size_of_a_block_lies_in_one_run) {
  BufferPool pool;
  for (const std::uint32_t size : {BufferPool::kSmallBlock, BufferPool::kLargeBlock}) {
    WriteBuffer buffer(pool);
    const std::vector<std::byte> bytes(size);

    buffer.append(bytes);

    std::array<iovec, 4> runs;
    BOOST_TEST(buffer.gather(runs, size) == 1U);
    BOOST_TEST(runs[0].iov_len == size);
  }
}

BOOST_AUTO_TEST_CASE(a_released_block_is_taken_again) {
  BlockPool pool(2048, 1);
  Block& first = pool.take();
  first.release();

  Block& second = pool.take();

  BOOST_TEST(&second == &first);
  BOOST_TEST(pool.used() == 1U);
  second.release();
}

}  // namespace
}  // namespace penstock
