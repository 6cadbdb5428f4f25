// WriteBuffer: bytes go out in the order they came, from addresses that do not change.
#include <penstock/runtime/parts/write_buffer.h>
#include <penstock/tests/unit/write_buffer_contents.h>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(write_buffer_test)

namespace {

struct Fixture {
  BufferPool pool;
  WriteBuffer buffer{pool};
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_write_buffer, Fixture)

BOOST_AUTO_TEST_CASE(is_empty_at_first) {
  BOOST_TEST(buffer.empty());
  BOOST_TEST(buffer.size() == 0u);
  BOOST_TEST(runsOf(buffer).empty());
}

BOOST_AUTO_TEST_CASE(gives_back_what_was_appended_in_order) {
  buffer.append(asBytes("one "));
  buffer.append(asBytes("two "));
  buffer.append(Buffer(std::string("three")));

  BOOST_TEST(buffer.size() == 13u);
  BOOST_TEST(textOf(buffer) == "one two three");
}

BOOST_AUTO_TEST_CASE(keeps_a_copy_of_bytes_that_the_caller_changes_afterwards) {
  std::string text = "before";

  buffer.append(asBytes(text));
  text = "afterw";

  BOOST_TEST(textOf(buffer) == "before");
}

BOOST_AUTO_TEST_CASE(gathers_many_small_writes_into_one_run) {
  for (int i = 0; i < 100; ++i) buffer.append(asBytes("0123456789"));

  BOOST_TEST(runsOf(buffer).size() == 1u);
  BOOST_TEST(buffer.front().size() == 1000u);
}

BOOST_AUTO_TEST_CASE(keeps_large_writes_whole) {
  const auto bytes = someBytes(300'000);

  buffer.append(Bytes(bytes));

  BOOST_TEST((textOf(buffer) == textOf(Bytes(bytes))));
}

BOOST_AUTO_TEST_CASE(forgets_from_the_front_also_in_the_middle_of_a_run) {
  buffer.append(asBytes("0123456789"));

  buffer.consume(4);

  BOOST_TEST(buffer.size() == 6u);
  BOOST_TEST(textOf(buffer.front()) == "456789");
  BOOST_TEST(textOf(buffer) == "456789");
}

BOOST_AUTO_TEST_CASE(gathers_no_more_runs_than_there_is_room_for) {
  for (int i = 0; i < 5; ++i) buffer.append(Buffer(std::string(10, static_cast<char>('a' + i))));

  BOOST_TEST(textOf(runsOf(buffer, kAll, 2)) == "aaaaaaaaaabbbbbbbbbb");
  BOOST_TEST(runsOf(buffer, kAll, 0).empty());
  BOOST_TEST(runsOf(buffer).size() == 5u);
}

BOOST_AUTO_TEST_CASE(gathers_no_more_bytes_than_were_asked_for) {
  buffer.append(Buffer(std::string("01234")));
  buffer.append(Buffer(std::string("56789")));

  BOOST_TEST(textOf(runsOf(buffer, 7)) == "0123456");
  BOOST_TEST(runsOf(buffer, 5).size() == 1u);
  BOOST_TEST(runsOf(buffer, 0).empty());
}

BOOST_AUTO_TEST_CASE(leaves_gathered_bytes_where_they_are_while_more_is_appended) {
  const auto bytes = someBytes(40'000);
  buffer.append(Bytes(bytes));
  buffer.append(asBytes("the tail"));
  const auto inKernel = runsOf(buffer);
  const std::string before = textOf(inKernel);

  for (int i = 0; i < 1000; ++i) buffer.append(Bytes(bytes).first(static_cast<std::size_t>(i)));

  const auto now = runsOf(buffer);
  BOOST_TEST_REQUIRE(now.size() > inKernel.size());
  for (std::size_t i = 0; i < inKernel.size(); ++i) {
    BOOST_TEST(now[i].iov_base == inKernel[i].iov_base);
  }
  BOOST_TEST((textOf(inKernel) == before));
}

BOOST_AUTO_TEST_CASE(uses_its_memory_again_after_draining) {
  const auto bytes = someBytes(1000);
  buffer.append(Bytes(bytes));
  const std::byte* first = buffer.front().data();
  buffer.consume(1000);

  buffer.append(Bytes(bytes));

  BOOST_TEST(buffer.front().data() == first);
}

BOOST_AUTO_TEST_CASE(shares_its_first_bytes_with_another_that_may_outlive_it) {
  const auto bytes = someBytes(40'000), others = someBytes(40'001);
  auto memory = std::make_shared<const std::string>("handed over");
  const std::weak_ptr<const std::string> watched = memory;
  const std::string expected = textOf(Bytes(bytes)) + "handed";
  buffer.append(Bytes(bytes));
  buffer.append(Buffer(memory, asBytes(*memory)));
  memory.reset();
  WriteBuffer other(pool);

  buffer.share(expected.size(), other);
  BOOST_TEST(runsOf(other).front().iov_base == runsOf(buffer).front().iov_base);
  buffer.clear();
  buffer.append(Bytes(others));  // Into other memory than what is shared.

  BOOST_TEST(other.size() == expected.size());
  BOOST_TEST((textOf(other) == expected));
  BOOST_TEST((textOf(buffer) == textOf(Bytes(others))));
  BOOST_TEST(!watched.expired());
  other.clear();
  BOOST_TEST(watched.expired());
}

BOOST_AUTO_TEST_CASE(is_empty_again_when_cleared) {
  buffer.append(asBytes("some"));
  buffer.append(Buffer(std::string("more")));

  buffer.clear();

  BOOST_TEST(buffer.empty());
  BOOST_TEST(runsOf(buffer).empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(a_buffer_handed_over, Fixture)

BOOST_AUTO_TEST_CASE(is_not_copied) {
  const Buffer handed(std::string(100, 'x'));

  buffer.append(handed);

  BOOST_TEST(buffer.front().data() == handed.bytes().data());
}

BOOST_AUTO_TEST_CASE(lives_until_its_last_byte_is_gone) {
  auto memory = std::make_shared<const std::string>("0123456789");
  const std::weak_ptr<const std::string> watched = memory;
  const Bytes bytes = asBytes(*memory);
  buffer.append(Buffer(std::move(memory), bytes));

  buffer.consume(9);
  BOOST_TEST(!watched.expired());
  buffer.consume(1);

  BOOST_TEST(watched.expired());
}

BOOST_AUTO_TEST_CASE(is_let_go_with_the_write_buffer) {
  auto memory = std::make_shared<const std::string>("0123456789");
  const std::weak_ptr<const std::string> watched = memory;
  const Bytes bytes = asBytes(*memory);

  {
    WriteBuffer doomed(pool);
    doomed.append(Buffer(std::move(memory), bytes));
  }

  BOOST_TEST(watched.expired());
}

BOOST_AUTO_TEST_CASE(may_be_in_several_write_buffers_at_once) {
  WriteBuffer other(pool);
  const Buffer handed(std::string("shared"));

  buffer.append(handed);
  other.append(handed);
  buffer.clear();

  BOOST_TEST(textOf(other) == "shared");
}

BOOST_AUTO_TEST_CASE(is_never_written_into) {
  const Buffer handed(std::string(10, 'x'));
  buffer.append(handed.slice(0, 5));

  buffer.append(asBytes("yyyyy"));

  BOOST_TEST(textOf(buffer) == "xxxxxyyyyy");
  BOOST_TEST(textOf(handed.bytes()) == "xxxxxxxxxx");
}

BOOST_AUTO_TEST_CASE(adds_nothing_when_empty) {
  buffer.append(Buffer());
  buffer.append(Buffer(std::string()));

  BOOST_TEST(buffer.empty());
  BOOST_TEST(runsOf(buffer).empty());
}

BOOST_AUTO_TEST_CASE(shares_its_memory_with_its_slices) {
  const Buffer whole = Buffer::ofStatic(asBytes("static memory"));

  buffer.append(whole.slice(7, 6));

  BOOST_TEST(textOf(buffer) == "memory");
  BOOST_TEST(buffer.front().data() == whole.bytes().data() + 7);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
