// BufferRing: whatever order buffers come back in, a completion's bytes are found where they are.
#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/uring/buffer_ring.h>
#include <penstock/runtime/uring/ring.h>
#include <penstock/runtime/uring/ring_calls.h>
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/stream_pair.h>

#include <sys/socket.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

using namespace penstock;
using namespace penstock::uring;
using boost::unit_test::precondition;
using penstock::testing::SocketPair;

BOOST_AUTO_TEST_SUITE(buffer_ring_test)

namespace {

constexpr std::uint16_t kGroup = 7;
constexpr std::uint16_t kCount = 4;
constexpr std::uint32_t kSize = 16;

bool has(std::uint32_t features) { return (ringCalls().features() & features) == features; }

boost::test_tools::assertion_result withBufferRings(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(has(kBufferRing));
  result.message() << "this kernel has no buffer rings";
  return result;
}

// A ring, buffers of it, and receives into them.
struct BufferFixture {
  explicit BufferFixture(std::uint16_t count = kCount)
      : ring(ringCalls(), ringCalls().features()),
        buffers(BufferRing::create(ring, kGroup, count, kSize)) {
    BOOST_TEST_REQUIRE(buffers != nullptr);
  }

  // Receives once, with what has arrived.
  io_uring_cqe receive(const SocketPair& pair) {
    io_uring_sqe& entry = ring.nextEntry();
    io_uring_prep_recv(&entry, pair.near.get(), nullptr, 0, MSG_DONTWAIT);
    entry.flags |= IOSQE_BUFFER_SELECT;
    entry.buf_group = kGroup;
    auto found = std::make_unique<io_uring_cqe>();  // Clang captures none: it ends in an array.
    found->res = -ETIME;
    ring.enter(1, std::chrono::seconds(10));
    ring.reap(1, [&](const io_uring_cqe& cqe) { *found = cqe; });
    return *found;
  }

  // The block of a completion, and its bytes as text.
  std::pair<Block*, std::string> taken(const io_uring_cqe& cqe) {
    BOOST_REQUIRE_GT(cqe.res, 0);
    Block& block = buffers->filled(cqe.flags);
    return {&block, std::string(asText({block.data, static_cast<std::size_t>(cqe.res)}))};
  }

  Block& one(const io_uring_cqe& cqe, const std::string& expected) {
    const auto [block, text] = taken(cqe);
    BOOST_TEST(text == expected);
    return *block;
  }

  Ring ring;
  std::unique_ptr<BufferRing> buffers;
  SocketPair pair;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(a_buffer_ring, *precondition(withBufferRings))

BOOST_FIXTURE_TEST_CASE(is_filled_by_a_receive, BufferFixture) {
  pair.sendFromFar("hello");

  const io_uring_cqe completion = receive(pair);

  BOOST_TEST((completion.flags & IORING_CQE_F_BUFFER) != 0u);
  Block& block = one(completion, "hello");
  BOOST_TEST(block.references == 1u);
  BOOST_TEST(block.capacity == kSize);
  block.release();
}

BOOST_FIXTURE_TEST_CASE(uses_its_buffers_again_and_again, BufferFixture) {
  for (int i = 0; i < 70'000; ++i) {  // More often than a tail of 16 bits counts.
    const std::string text = std::to_string(i);
    pair.sendFromFar(text);
    const auto [block, got] = taken(receive(pair));
    BOOST_TEST_REQUIRE(got == text);
    block->release();
  }
}

BOOST_FIXTURE_TEST_CASE(keeps_a_buffer_from_the_kernel_while_somebody_refers_to_it, BufferFixture) {
  pair.sendFromFar("kept");
  Block& kept = one(receive(pair), "kept");

  for (int i = 0; i < 3 * kCount; ++i) {
    pair.sendFromFar("other");
    Block& block = one(receive(pair), "other");
    BOOST_TEST(&block != &kept);
    block.release();
  }

  BOOST_TEST(std::string(reinterpret_cast<const char*>(kept.data), 4) == "kept");
  kept.release();
}

BOOST_FIXTURE_TEST_CASE(says_that_it_is_empty_and_goes_on_when_a_buffer_came_back, BufferFixture) {
  std::deque<Block*> taken;
  for (int i = 0; i < kCount; ++i) {
    pair.sendFromFar("x");
    taken.push_back(&one(receive(pair), "x"));
  }
  pair.sendFromFar("y");
  BOOST_TEST(receive(pair).res == -ENOBUFS);

  taken.back()->release();
  taken.pop_back();

  one(receive(pair), "y").release();
  for (Block* block : taken) block->release();
}

BOOST_FIXTURE_TEST_CASE(tells_when_half_of_it_is_out, BufferFixture) {
  std::vector<Block*> taken;
  BOOST_TEST(buffers->mayKeep());
  for (int i = 0; i < kCount; ++i) {
    pair.sendFromFar("x");
    taken.push_back(&one(receive(pair), "x"));
    BOOST_TEST(buffers->mayKeep() == (taken.size() <= kCount / 2));
  }

  for (Block* block : taken) block->release();

  BOOST_TEST(buffers->mayKeep());
}

BOOST_FIXTURE_TEST_CASE(is_refused_where_its_group_is_taken, BufferFixture) {
  BOOST_TEST(BufferRing::create(ring, kGroup, kCount, kSize) == nullptr);
  BOOST_TEST(BufferRing::create(ring, kGroup + 1, kCount, kSize) != nullptr);
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

// Several connections receive, each into one buffer; some blocks are kept for a while and go
// back in any order. Every byte must be the next of its connection's stream, and stay it.
class RandomUse : BufferFixture {
 public:
  explicit RandomUse(std::uint64_t seed) : BufferFixture(16), random_(seed) {}

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      const std::size_t which = random_() % connections_.size();
      if (random_() % 3 == 0) {
        releaseOne();
      } else {
        exchange(connections_[which], which);
      }
    }
    while (!kept_.empty()) releaseOne();
    BOOST_TEST(buffers->mayKeep());
  }

 private:
  static constexpr std::size_t kMostWaiting = 300;

  struct Connection {
    SocketPair sockets;
    std::string waiting = {};  // In the socket.
    std::uint64_t sent = 0;
  };
  struct Kept {
    Block* block;
    std::string text;
  };

  void exchange(Connection& connection, std::size_t which) {
    if (connection.waiting.size() < kMostWaiting) send(connection, which);
    const io_uring_cqe completion = receive(connection.sockets);
    if (completion.res == -ENOBUFS) return releaseOne();
    const auto [block, got] = taken(completion);
    BOOST_TEST_REQUIRE(got == connection.waiting.substr(0, got.size()));
    connection.waiting.erase(0, got.size());
    kept_.push_back({block, got});
    while (kept_.size() > 12) releaseOne();
  }

  void send(Connection& connection, std::size_t which) {
    std::string text(1 + random_() % (5 * kSize), '\0');
    for (char& c : text) c = static_cast<char>('a' + (connection.sent++ * 7 + which) % 26);
    connection.sockets.sendFromFar(text);
    connection.waiting += text;
  }

  void releaseOne() {
    if (kept_.empty()) return;
    const auto at = static_cast<std::ptrdiff_t>(random_() % kept_.size());
    const Kept& kept = kept_[static_cast<std::size_t>(at)];
    const std::string now(reinterpret_cast<const char*>(kept.block->data), kept.text.size());
    BOOST_REQUIRE((now == kept.text));
    kept.block->release();
    kept_.erase(kept_.begin() + at);
  }

  std::mt19937_64 random_;
  std::array<Connection, 3> connections_;
  std::vector<Kept> kept_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(bytes_are_right_in_any_order_of_receiving_and_releasing,
                     *precondition(withBufferRings)) {
  RandomUse(penstock::testing::testSeed()).run(20'000);
}

BOOST_AUTO_TEST_SUITE_END()
