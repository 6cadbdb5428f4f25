// WriteBuffer: received bytes are written on without a copy, and whatever is done to it, it is a
// queue of bytes.
#include <penstock/runtime/parts/write_buffer.h>
#include <penstock/tests/support/backend.h>
#include <penstock/tests/unit/lending_block.h>
#include <penstock/tests/unit/write_buffer_contents.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(write_buffer_lending_test)

namespace {

struct LendingFixture {
  BufferPool pool;
  WriteBuffer buffer{pool};
  LendingBlock lender{someBytes(4 * kBorrowAtLeast)};

  Bytes part(std::size_t offset, std::size_t count) {
    return lender.bytes().subspan(offset, count);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(bytes_that_are_being_lent, LendingFixture)

BOOST_AUTO_TEST_CASE(are_borrowed_and_given_back_when_sent) {
  {
    const BufferPool::Lending lending(pool, lender.block(), lender.bytes());
    buffer.append(lender.bytes());
  }
  lender.block().release();
  BOOST_TEST(buffer.front().data() == lender.bytes().data());
  BOOST_TEST(!lender.home());

  buffer.consume(buffer.size());

  BOOST_TEST(lender.home());
}

BOOST_AUTO_TEST_CASE(are_copied_when_they_are_few) {
  const BufferPool::Lending lending(pool, lender.block(), lender.bytes());

  buffer.append(part(0, kBorrowAtLeast - 1));

  BOOST_TEST(buffer.front().data() != lender.bytes().data());
  BOOST_TEST(lender.block().references == 1u);
}

BOOST_AUTO_TEST_CASE(are_copied_when_the_lender_can_spare_no_more) {
  lender.refuseKeeping();
  const BufferPool::Lending lending(pool, lender.block(), lender.bytes());

  buffer.append(lender.bytes());

  BOOST_TEST(buffer.front().data() != lender.bytes().data());
  BOOST_TEST((textOf(buffer) == textOf(lender.bytes())));
  BOOST_TEST(lender.block().references == 1u);
}

BOOST_AUTO_TEST_CASE(are_copied_when_they_reach_beyond_what_is_lent) {
  const BufferPool::Lending lending(pool, lender.block(), part(0, 3 * kBorrowAtLeast));

  buffer.append(part(2 * kBorrowAtLeast, 2 * kBorrowAtLeast));

  BOOST_TEST(lender.block().references == 1u);
}

BOOST_AUTO_TEST_CASE(are_copied_once_the_lending_is_over) {
  { const BufferPool::Lending lending(pool, lender.block(), lender.bytes()); }

  buffer.append(lender.bytes());

  BOOST_TEST(buffer.front().data() != lender.bytes().data());
}

BOOST_AUTO_TEST_CASE(are_copied_where_a_copy_is_asked_for) {
  const BufferPool::Lending lending(pool, lender.block(), lender.bytes());

  buffer.appendCopy(lender.bytes());

  BOOST_TEST(lender.block().references == 1u);
  BOOST_TEST((textOf(buffer) == textOf(lender.bytes())));
}

BOOST_AUTO_TEST_CASE(make_one_run_when_they_lie_side_by_side) {
  const BufferPool::Lending lending(pool, lender.block(), lender.bytes());

  buffer.append(part(0, kBorrowAtLeast));
  buffer.append(part(kBorrowAtLeast, kBorrowAtLeast));

  BOOST_TEST(runsOf(buffer).size() == 1u);
  BOOST_TEST(lender.block().references == 2u);
  BOOST_TEST((textOf(buffer) == textOf(part(0, 2 * kBorrowAtLeast))));
}

BOOST_AUTO_TEST_CASE(keep_their_order_when_they_are_appended_in_another) {
  const BufferPool::Lending lending(pool, lender.block(), lender.bytes());

  buffer.append(part(kBorrowAtLeast, kBorrowAtLeast));
  buffer.append(part(0, kBorrowAtLeast));

  BOOST_TEST((textOf(buffer) ==
              textOf(part(kBorrowAtLeast, kBorrowAtLeast)) + textOf(part(0, kBorrowAtLeast))));
  BOOST_TEST(lender.block().references == 3u);
}

BOOST_AUTO_TEST_CASE(are_never_written_into) {
  const std::string before = textOf(lender.bytes());
  const BufferPool::Lending lending(pool, lender.block(), lender.bytes());

  buffer.append(part(0, kBorrowAtLeast));
  buffer.append(asBytes("not in there"));

  BOOST_TEST((textOf(lender.bytes()) == before));
  BOOST_TEST(runsOf(buffer).size() == 2u);
}

BOOST_AUTO_TEST_CASE(are_those_of_the_outer_lending_again_after_an_inner_one) {
  LendingBlock inner(someBytes(kBorrowAtLeast));
  const BufferPool::Lending lending(pool, lender.block(), lender.bytes());
  { const BufferPool::Lending nested(pool, inner.block(), inner.bytes()); }

  buffer.append(lender.bytes());

  BOOST_TEST(buffer.front().data() == lender.bytes().data());
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

// What a WriteBuffer is in one line: a string. Everything is done to both, and compared.
class AgainstModel {
 public:
  explicit AgainstModel(std::uint64_t seed) : random_(seed) {}

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      doSomething();
      compare();
    }
    buffer_.clear();
    for (auto& lender : lenders_) BOOST_TEST(lender->timesHome() == 1);
  }

 private:
  std::size_t upTo(std::size_t most) { return random_() % (most + 1); }

  void doSomething() {
    switch (random_() % 6) {
      case 0:
        return append(upTo(100));
      case 1:
        return append(upTo(40'000));
      case 2:
        return appendBuffer();
      case 3:
        return appendLent();
      case 4:
        return consume(upTo(std::min<std::size_t>(model_.size(), 3000)));
      default:
        return consume(upTo(model_.size()));
    }
  }

  void append(std::size_t count) {
    const auto bytes = randomBytes(random_, count);
    buffer_.append(Bytes(bytes));
    model_ += textOf(Bytes(bytes));
  }

  void appendBuffer() {
    const Buffer buffer(randomBytes(random_, upTo(5000)));
    model_ += textOf(buffer.bytes());
    buffer_.append(buffer);
  }

  // Parts of one block, as a protocol would write on what it received.
  void appendLent() {
    lenders_.push_back(std::make_unique<LendingBlock>(randomBytes(random_, 16'384)));
    LendingBlock& lender = *lenders_.back();
    if (random_() % 4 == 0) lender.refuseKeeping();
    {
      const BufferPool::Lending lending(pool_, lender.block(), lender.bytes());
      for (int parts = 0; parts < 4; ++parts) {
        const std::size_t offset = upTo(16'384);
        const Bytes part = lender.bytes().subspan(offset, upTo(16'384 - offset));
        buffer_.append(part);
        model_ += textOf(part);
      }
    }
    lender.block().release();
  }

  void consume(std::size_t count) {
    buffer_.consume(count);
    model_.erase(0, count);
  }

  void compare() {
    BOOST_TEST_REQUIRE(buffer_.size() == model_.size());
    const std::size_t most = upTo(2 * model_.size() + 1);
    const std::size_t limit = upTo(20);
    const auto runs = runsOf(buffer_, most, limit);
    const std::string text = textOf(runs);
    BOOST_REQUIRE((text == model_.substr(0, text.size())));
    const bool asManyAsAllowed = runs.size() == limit || text.size() == most;
    BOOST_REQUIRE((asManyAsAllowed || text.size() == model_.size()));
  }

  std::mt19937_64 random_;
  std::vector<std::unique_ptr<LendingBlock>> lenders_;
  BufferPool pool_;
  WriteBuffer buffer_{pool_};
  std::string model_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_write_buffer_does_what_a_string_does_whatever_is_done_to_both) {
  AgainstModel(testSeed()).run(3000);
}

BOOST_AUTO_TEST_SUITE_END()
