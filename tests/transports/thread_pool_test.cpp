// The thread pool runs tasks, refuses too many, and joins its threads.
#include <penstock/runtime/parts/thread_pool.h>
#include <penstock/tests/support/printing.h>

#include <signal.h>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <future>
#include <memory>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace penstock;

BOOST_AUTO_TEST_SUITE(thread_pool_test)

BOOST_AUTO_TEST_CASE(every_task_has_run_when_the_pool_is_gone) {
  std::atomic<int> ran{0};
  {
    ThreadPool pool(3, 1000);
    for (int i = 0; i < 500; ++i) BOOST_REQUIRE(pool.submit([&ran] { ++ran; }));
  }
  BOOST_TEST(ran == 500);
}

BOOST_AUTO_TEST_CASE(tasks_run_beside_each_other_up_to_the_number_of_threads) {
  std::promise<void> secondRuns;
  ThreadPool pool(2, 10);

  std::promise<void> firstDone;
  BOOST_REQUIRE(pool.submit([&] {
    secondRuns.get_future().wait();  // Ends only if another thread runs the next task.
    firstDone.set_value();
  }));
  BOOST_REQUIRE(pool.submit([&] { secondRuns.set_value(); }));

  const auto status = firstDone.get_future().wait_for(std::chrono::seconds(20));
  BOOST_TEST(status == std::future_status::ready);
}

BOOST_AUTO_TEST_CASE(one_task_more_than_may_wait_is_refused) {
  std::promise<void> release, running;
  std::shared_future<void> released = release.get_future().share();
  std::atomic<int> ran{0};
  {
    ThreadPool pool(1, 2);
    BOOST_REQUIRE(pool.submit([&, released] {
      running.set_value();
      released.wait();
    }));
    running.get_future().wait();

    BOOST_TEST(pool.submit([&ran] { ++ran; }));
    BOOST_TEST(pool.submit([&ran] { ++ran; }));
    BOOST_TEST(!pool.submit([&ran] { ++ran; }));
    release.set_value();
  }
  BOOST_TEST(ran == 2);
}

BOOST_AUTO_TEST_CASE(a_task_is_destroyed_on_its_thread_when_it_has_run) {
  std::promise<std::thread::id> destroyedOn;
  struct Witness {
    explicit Witness(std::promise<std::thread::id>* promise) : told(promise) {}
    std::promise<std::thread::id>* told;
    ~Witness() { told->set_value(std::this_thread::get_id()); }
  };
  std::thread::id ranOn;
  ThreadPool pool(1, 1);

  BOOST_REQUIRE(pool.submit([&ranOn, witness = std::make_unique<Witness>(&destroyedOn)] {
    ranOn = std::this_thread::get_id();
  }));

  const std::thread::id destroyed = destroyedOn.get_future().get();
  BOOST_TEST(destroyed == ranOn);
  BOOST_TEST(destroyed != std::this_thread::get_id());
}

BOOST_AUTO_TEST_CASE(the_threads_take_no_signals) {
  std::promise<bool> blocked;
  ThreadPool pool(1, 1);

  BOOST_REQUIRE(pool.submit([&blocked] {
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    blocked.set_value(sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGTERM) == 1);
  }));

  BOOST_TEST(blocked.get_future().get());
  sigset_t own;
  pthread_sigmask(SIG_BLOCK, nullptr, &own);
  BOOST_TEST(sigismember(&own, SIGTERM) == 0);
}

BOOST_AUTO_TEST_CASE(what_could_never_run_is_refused) {
  ThreadPool pool(1, 1);

  BOOST_CHECK_THROW(static_cast<void>(pool.submit({})), std::invalid_argument);
  BOOST_CHECK_THROW(ThreadPool(0, 1), std::invalid_argument);
}

BOOST_AUTO_TEST_SUITE_END()
