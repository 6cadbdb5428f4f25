// Ring: whatever the kernel says, nothing that was submitted or completed is lost.
#include <penstock/runtime/uring/ring.h>
#include <penstock/runtime/uring/ring_calls.h>
#include <penstock/tests/support/printing.h>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <deque>
#include <numeric>
#include <system_error>
#include <thread>
#include <vector>

using namespace penstock;
using namespace penstock::uring;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(ring_test)

namespace {

using Numbers = std::vector<std::uint64_t>;

void addNop(Ring& ring, std::uint64_t number) {
  io_uring_sqe& entry = ring.nextEntry();
  io_uring_prep_nop(&entry);
  entry.user_data = number;
}

// Enters until `count` completions came, at most a few hundred times, and gives their numbers.
Numbers completions(Ring& ring, std::size_t count) {
  Numbers numbers;
  for (int enters = 0; numbers.size() < count && enters < 500; ++enters) {
    ring.enter(0, std::nullopt);
    ring.reap(1'000'000, [&](const io_uring_cqe& cqe) { numbers.push_back(cqe.user_data); });
  }
  return numbers;
}

Numbers upTo(std::size_t count) {
  Numbers numbers(count);
  std::iota(numbers.begin(), numbers.end(), 1);
  return numbers;
}

// The kernel's calls, with answers put in front of them.
class ScriptedCalls : public RingCalls {
 public:
  std::deque<int> enterAnswers;     // Instead of entering; when empty the kernel is entered.
  unsigned mostPerEnter = ~0U;      // It takes no more entries than this at a time.
  unsigned refusedFlags = 0;        // -EINVAL for a setup with any of these.
  unsigned mostEntries = ~0U;       // -ENOMEM for more.
  int setupAnswer = 0;              // Instead of setting up.
  unsigned noMemoryFor = 0;         // -ENOMEM for so many setups, as while others give memory back.
  bool busyUntilReaped = false;     // -EBUSY while a completion lies in the queue.
  std::vector<unsigned> workers{};  // What the kernel's threads were limited to.
  std::vector<unsigned> asked{};    // The flags of each setup.

  int setup(unsigned entries, io_uring& ring, io_uring_params& params) noexcept override {
    asked.push_back(params.flags);
    if (setupAnswer < 0) return setupAnswer;
    if (noMemoryFor > 0) {
      --noMemoryFor;
      return -ENOMEM;
    }
    if (params.flags & refusedFlags) return -EINVAL;
    if (entries > mostEntries) return -ENOMEM;
    return RingCalls::setup(entries, ring, params);
  }

  int enter(io_uring& ring, unsigned submit, unsigned waitFor, unsigned flags,
            std::optional<Duration> timeout) noexcept override {
    if (!enterAnswers.empty()) {
      const int answer = enterAnswers.front();
      enterAnswers.pop_front();
      return answer;
    }
    if (busyUntilReaped && *ring.cq.khead != *ring.cq.ktail) return -EBUSY;
    return RingCalls::enter(ring, std::min(submit, mostPerEnter), waitFor, flags, timeout);
  }

  int registerWith(io_uring& ring, unsigned opcode, void* argument, unsigned n) noexcept override {
    if (opcode == IORING_REGISTER_IOWQ_MAX_WORKERS) {
      const auto* limits = static_cast<const unsigned*>(argument);
      workers.assign(limits, limits + n);
    }
    return RingCalls::registerWith(ring, opcode, argument, n);
  }
};

struct RingFixture {
  ScriptedCalls calls;
  std::uint32_t features = calls.features();
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_ring, RingFixture)

BOOST_AUTO_TEST_CASE(completes_what_is_submitted) {
  Ring ring(calls, features);
  addNop(ring, 1);
  addNop(ring, 2);
  BOOST_TEST(!ring.hasCompletions());

  ring.enter(2, std::nullopt);

  BOOST_TEST(ring.hasCompletions());
  BOOST_TEST(completions(ring, 2) == (Numbers{1, 2}), boost::test_tools::per_element());
  BOOST_TEST(!ring.hasCompletions());
}

BOOST_AUTO_TEST_CASE(gives_entries_that_are_cleared_and_their_places) {
  Ring ring(calls, features);
  addNop(ring, 77);
  completions(ring, 1);
  unsigned first = 0;
  unsigned second = 0;

  for (unsigned i = 0; i < ring.entries() - 1; ++i) addNop(ring, 5);
  const io_uring_sqe& again = ring.nextEntry(&first);

  BOOST_TEST(again.user_data == 0u);
  ring.nextEntry(&second);
  BOOST_TEST(first < ring.entries());
  BOOST_TEST(second == (first + 1) % ring.entries());
}

BOOST_AUTO_TEST_CASE(hands_a_full_submission_queue_over_and_goes_on) {
  Ring ring(calls, features);
  const std::size_t count = 2 * ring.entries() + 10;

  for (std::uint64_t number = 1; number <= count; ++number) addNop(ring, number);

  BOOST_TEST(completions(ring, count) == upTo(count));
}

BOOST_AUTO_TEST_CASE(loses_no_completion_when_more_come_than_its_queue_holds) {
  Ring ring(calls, features);
  const std::size_t count = 10 * ring.entries() + 7;

  for (std::uint64_t number = 1; number <= count; ++number) addNop(ring, number);

  BOOST_TEST(completions(ring, count) == upTo(count));
}

BOOST_AUTO_TEST_CASE(reaps_no_more_than_asked_and_keeps_the_rest) {
  Ring ring(calls, features);
  for (std::uint64_t number = 1; number <= 5; ++number) addNop(ring, number);
  ring.enter(5, std::nullopt);
  Numbers reaped;

  ring.reap(2, [&](const io_uring_cqe& cqe) { reaped.push_back(cqe.user_data); });

  BOOST_TEST(reaped == (Numbers{1, 2}), boost::test_tools::per_element());
  BOOST_TEST(completions(ring, 3) == (Numbers{3, 4, 5}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(may_be_submitted_to_while_it_is_reaped) {
  Ring ring(calls, features);
  addNop(ring, 1);
  ring.enter(1, std::nullopt);

  ring.reap(1, [&](const io_uring_cqe& cqe) {
    for (unsigned i = 0; i < 2 * ring.entries(); ++i) addNop(ring, cqe.user_data + 1);
  });

  const Numbers numbers = completions(ring, 2 * ring.entries());
  BOOST_TEST(numbers == (Numbers(2 * ring.entries(), 2)), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(submits_again_what_an_interrupted_call_did_not_take) {
  Ring ring(calls, features);
  calls.enterAnswers = {-EINTR, -EINTR};
  addNop(ring, 1);

  ring.enter(1, std::nullopt);
  BOOST_TEST(!ring.hasCompletions());
  addNop(ring, 2);

  BOOST_TEST(completions(ring, 2) == (Numbers{1, 2}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(goes_on_when_the_kernel_takes_a_part_only) {
  Ring ring(calls, features);
  calls.mostPerEnter = 3;

  for (std::uint64_t number = 1; number <= 100; ++number) addNop(ring, number);

  BOOST_TEST(completions(ring, 100) == upTo(100));
}

BOOST_AUTO_TEST_CASE(makes_room_when_the_kernel_is_busy_and_keeps_the_order) {
  for (const int busy : {-EBUSY, -EAGAIN}) {
    Ring ring(calls, features);
    for (std::uint64_t number = 1; number <= 10; ++number) addNop(ring, number);
    ring.enter(10, std::nullopt);
    calls.enterAnswers = {busy, busy};
    for (std::uint64_t number = 11; number <= 20; ++number) addNop(ring, number);

    ring.submit();
    BOOST_TEST(ring.hasCompletions());

    BOOST_TEST(completions(ring, 20) == upTo(20));
  }
}

BOOST_AUTO_TEST_CASE(makes_room_when_it_is_full_on_both_sides) {
  Ring ring(calls, features);
  addNop(ring, 1);
  ring.enter(1, std::nullopt);
  calls.busyUntilReaped = true;  // From here on nothing is taken while the first one lies there.
  const std::size_t count = 2 * ring.entries() + 10;

  for (std::uint64_t number = 2; number <= count; ++number) addNop(ring, number);

  BOOST_TEST((completions(ring, count) == upTo(count)));
}

BOOST_AUTO_TEST_CASE(gives_what_was_set_aside_before_what_came_later) {
  for (const int busy : {-EBUSY, -EAGAIN}) {
    Ring ring(calls, features);
    for (std::uint64_t number = 1; number <= 10; ++number) addNop(ring, number);
    ring.enter(10, std::nullopt);
    calls.enterAnswers = {busy};
    for (std::uint64_t number = 11; number <= 20; ++number) addNop(ring, number);
    ring.submit();  // Sets the first ten aside.

    ring.enter(10, std::nullopt);  // The others lie in the queue itself.

    Numbers numbers;
    ring.reap(20, [&](const io_uring_cqe& cqe) { numbers.push_back(cqe.user_data); });
    BOOST_TEST(numbers == upTo(20), boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(says_so_when_it_can_not_be_used) {
  Ring ring(calls, features);
  calls.enterAnswers = {-EBADF};

  BOOST_CHECK_EXCEPTION(ring.enter(0, std::nullopt), std::system_error,
                        [](const auto& error) { return error.code().value() == EBADF; });
}

BOOST_AUTO_TEST_CASE(ends_a_wait_when_its_time_is_over) {
  for (const std::uint32_t off : {0U, std::uint32_t{kWaitTimeout}}) {
    Ring ring(calls, features & ~off);
    const TimePoint start = Clock::now();

    ring.enter(1, Duration(2ms));

    BOOST_TEST(Clock::now() - start >= 2ms);
    for (const std::uint64_t number : completions(ring, 0)) BOOST_TEST(number == 0u);
  }
}

BOOST_AUTO_TEST_CASE(ends_a_wait_early_when_something_completes) {
  for (const std::uint32_t off : {0U, std::uint32_t{kWaitTimeout}}) {
    Ring ring(calls, features & ~off);
    addNop(ring, 1);

    ring.enter(1, Duration(1h));

    Numbers numbers;
    ring.reap(10, [&](const io_uring_cqe& cqe) {
      if (cqe.user_data != 0) numbers.push_back(cqe.user_data);
    });
    BOOST_TEST(numbers == Numbers{1}, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(does_not_wait_when_asked_for_nothing) {
  for (const std::uint32_t off : {0U, std::uint32_t{kWaitTimeout}}) {
    Ring ring(calls, features & ~off);

    ring.enter(0, Duration(1h));

    BOOST_TEST(!ring.hasCompletions());
  }
}

BOOST_AUTO_TEST_CASE(may_not_be_entered_by_another_thread_where_it_has_one_issuer) {
  Ring ring(calls, features);
  if (!(ring.setupFlags() & IORING_SETUP_SINGLE_ISSUER)) return;
  bool refused = false;
  ring.enter(0, std::nullopt);

  std::thread([&] {
    try {
      ring.enter(0, std::nullopt);
    } catch (const std::system_error& error) {
      refused = error.code().value() == EEXIST;
    }
  }).join();

  BOOST_TEST(refused);
}

BOOST_AUTO_TEST_CASE(is_for_the_thread_that_first_enters_it_not_for_the_one_that_made_it) {
  Ring ring(calls, features);
  Numbers numbers;
  addNop(ring, 1);

  std::thread([&] { numbers = completions(ring, 1); }).join();

  BOOST_TEST(numbers == Numbers{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(takes_anything_and_enters_no_more_once_it_is_detached) {
  Ring ring(calls, features);
  ring.detach();

  for (std::uint64_t number = 1; number <= 3 * ring.entries(); ++number) addNop(ring, number);
  ring.enter(1, std::nullopt);

  BOOST_TEST(!ring.hasCompletions());
}

BOOST_AUTO_TEST_CASE(limits_the_threads_that_the_kernel_starts_for_it) {
  const Ring ring(calls, features);

  BOOST_REQUIRE(calls.workers.size() == 2U);
  for (const unsigned most : calls.workers) {
    BOOST_TEST(most > 0U);
    BOOST_TEST(most <= 4U);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(setting_a_ring_up, RingFixture)

BOOST_AUTO_TEST_CASE(asks_for_deferred_work_where_the_kernel_has_it) {
  calls.setupAnswer = -EPERM;

  BOOST_CHECK_THROW(Ring(calls, kDeferTaskrun), std::system_error);

  BOOST_REQUIRE(!calls.asked.empty());
  BOOST_TEST((calls.asked[0] & IORING_SETUP_DEFER_TASKRUN) != 0u);
  BOOST_TEST((calls.asked[0] & IORING_SETUP_SINGLE_ISSUER) != 0u);
}

BOOST_AUTO_TEST_CASE(does_not_ask_for_deferred_work_that_was_seen_not_to_work) {
  Ring ring(calls, features & ~std::uint32_t{kDeferTaskrun});

  for (const unsigned flags : calls.asked) BOOST_TEST((flags & IORING_SETUP_DEFER_TASKRUN) == 0u);
  addNop(ring, 1);
  BOOST_TEST(completions(ring, 1) == Numbers{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(falls_back_to_cooperative_work_and_then_to_a_plain_ring) {
  calls.refusedFlags = IORING_SETUP_DEFER_TASKRUN;
  {
    Ring cooperative(calls, features | kDeferTaskrun);
    BOOST_TEST((cooperative.setupFlags() & IORING_SETUP_DEFER_TASKRUN) == 0u);
    BOOST_TEST((cooperative.setupFlags() & IORING_SETUP_COOP_TASKRUN) != 0u);
  }
  calls.refusedFlags = IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN;

  Ring plain(calls, features);

  BOOST_TEST((plain.setupFlags() & calls.refusedFlags) == 0u);
  addNop(plain, 1);
  BOOST_TEST(completions(plain, 1) == Numbers{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(makes_do_with_a_smaller_ring_where_memory_may_not_be_locked) {
  calls.mostEntries = 128;

  Ring ring(calls, features);

  BOOST_TEST(ring.entries() == 128u);
  for (std::uint64_t number = 1; number <= 1000; ++number) addNop(ring, number);
  BOOST_TEST(completions(ring, 1000) == upTo(1000));
}

BOOST_AUTO_TEST_CASE(waits_a_little_for_memory_that_other_rings_have_given_back) {
  calls.noMemoryFor = 7;

  const Ring ring(calls, features);

  BOOST_TEST(calls.asked.size() == 8U);
  BOOST_TEST(ring.entries() >= 64U);
}

BOOST_AUTO_TEST_CASE(is_refused_where_a_filter_allows_the_setup_and_not_the_use) {
  calls.enterAnswers = {-EPERM};

  BOOST_CHECK_EXCEPTION(Ring(calls, features), std::system_error,
                        [](const auto& error) { return error.code().value() == EPERM; });
}

BOOST_AUTO_TEST_CASE(gives_up_with_the_reason_of_the_kernel) {
  for (const int answer : {-EPERM, -ENOSYS, -ENOMEM, -EMFILE}) {
    calls.setupAnswer = answer;

    BOOST_CHECK_EXCEPTION(Ring(calls, features), std::system_error,
                          [=](const auto& error) { return error.code().value() == -answer; });
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
