// CallQueue: what is added runs once, in order, in the next turn, whichever thread it came from.
#include <penstock/runtime/parts/call_queue.h>
#include <penstock/tests/support/printing.h>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstddef>
#include <memory>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

using namespace penstock;
using Added = CallQueue::Added;
using Numbers = std::vector<int>;

BOOST_AUTO_TEST_SUITE(call_queue_test)

namespace {

constexpr std::size_t kLimit = 3;

void call(Callback& callback) { callback(); }

struct QueueFixture {
  Numbers ran;
  CallQueue queue{kLimit};

  Callback note(int number) {
    return [this, number] { ran.push_back(number); };
  }
  Added addFromThread(int number) {
    Callback callback = note(number);
    return queue.addFromThread(callback);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(a_call_queue, QueueFixture)

BOOST_AUTO_TEST_CASE(runs_what_was_added_in_order_and_once) {
  queue.add(note(1));
  queue.add(note(2));
  queue.add(note(3));

  BOOST_TEST(queue.drain(call) == 3u);
  BOOST_TEST(queue.drain(call) == 0u);

  BOOST_TEST(ran == (Numbers{1, 2, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(leaves_what_is_added_by_a_call_to_the_next_turn) {
  queue.add([&] {
    ran.push_back(1);
    queue.add(note(2));
    BOOST_TEST(addFromThread(3) == Added::kFirst);
  });

  BOOST_TEST(queue.drain(call) == 1u);
  BOOST_TEST(ran == Numbers{1}, boost::test_tools::per_element());
  BOOST_TEST(!queue.empty());
  BOOST_TEST(queue.drain(call) == 2u);

  BOOST_TEST(ran == (Numbers{1, 2, 3}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(knows_whether_something_waits) {
  BOOST_TEST(queue.empty());
  queue.add(note(1));
  BOOST_TEST(!queue.empty());
  queue.drain(call);
  BOOST_TEST(queue.empty());

  addFromThread(2);
  BOOST_TEST(!queue.empty());
  queue.drain(call);
  BOOST_TEST(queue.empty());
}

BOOST_AUTO_TEST_CASE(asks_for_one_wake_up_however_many_calls_come) {
  BOOST_TEST(addFromThread(1) == Added::kFirst);
  BOOST_TEST(addFromThread(2) == Added::kQueued);
  queue.drain(call);

  BOOST_TEST(addFromThread(3) == Added::kFirst);
}

BOOST_AUTO_TEST_CASE(refuses_what_is_over_the_limit_and_leaves_the_call_to_its_caller) {
  for (std::size_t i = 0; i < kLimit; ++i) addFromThread(static_cast<int>(i));
  Callback tooMany = note(99);

  BOOST_TEST(queue.addFromThread(tooMany) == Added::kRefused);
  BOOST_TEST(queue.drain(call) == kLimit);
  BOOST_REQUIRE(static_cast<bool>(tooMany));
  BOOST_TEST(queue.addFromThread(tooMany) == Added::kFirst);
  queue.drain(call);

  BOOST_TEST(ran == (Numbers{0, 1, 2, 99}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(does_not_limit_the_loops_own_calls) {
  for (std::size_t i = 0; i < 10 * kLimit; ++i) queue.add(note(0));

  BOOST_TEST(queue.drain(call) == 10 * kLimit);
}

BOOST_AUTO_TEST_CASE(refuses_other_threads_once_closed_but_runs_what_it_has_of_them) {
  addFromThread(1);
  queue.add(note(2));

  queue.close(call);

  BOOST_TEST(addFromThread(3) == Added::kRefused);
  BOOST_TEST(ran == Numbers{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(lets_go_of_what_a_call_owns_when_it_has_run) {
  auto owned = std::make_shared<int>(1);
  const std::weak_ptr<int> watched = owned;
  queue.add([kept = std::move(owned)] { BOOST_TEST(*kept == 1); });
  BOOST_TEST(!watched.expired());

  queue.drain(call);

  BOOST_TEST(watched.expired());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(calls_of_many_threads_all_run_in_their_threads_order_and_none_is_lost) {
  constexpr int kThreads = 4;
  constexpr int kCalls = 5000;
  CallQueue queue(kThreads * kCalls);
  std::counting_semaphore<> wake(0);
  std::vector<int> last(kThreads, -1);
  bool inOrder = true;
  const auto work = [&](std::size_t thread) {
    for (int i = 0; i < kCalls; ++i) {
      Callback callback = [&, thread, i] {
        inOrder = inOrder && last[thread] == i - 1;
        last[thread] = i;
      };
      if (queue.addFromThread(callback) == Added::kFirst) wake.release();
    }
  };
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) threads.emplace_back(work, i);

  // Sleeps as a loop does: until whoever was first wakes it.
  std::size_t ran = 0;
  bool woken = true;
  while (ran < kThreads * kCalls && woken) {
    woken = wake.try_acquire_for(std::chrono::seconds(30));
    ran += queue.drain(call);
  }

  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(woken, "a call waited and nobody woke the loop");
  BOOST_TEST(ran == static_cast<std::size_t>(kThreads * kCalls));
  BOOST_TEST(inOrder);
  BOOST_TEST(queue.empty());
}

BOOST_AUTO_TEST_CASE(a_call_that_races_with_closing_is_run_or_refused_but_never_both_or_neither) {
  for (int round = 0; round < 200; ++round) {
    CallQueue queue(1000);
    int accepted = 0;
    int ran = 0;
    std::thread thread([&] {
      for (int i = 0; i < 100; ++i) {
        Callback callback = [&ran] { ++ran; };
        if (queue.addFromThread(callback) != Added::kRefused) ++accepted;
      }
    });
    queue.drain(call);
    queue.close(call);

    thread.join();
    BOOST_TEST(ran == accepted);
    BOOST_TEST(queue.empty());
  }
}

BOOST_AUTO_TEST_SUITE_END()
