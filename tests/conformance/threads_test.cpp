// Calls from other threads: each is run or refused, never lost, and wakes the loop.
#include <penstock/runtime/timer.h>
#include <penstock/tests/support/address_sanitizer.h>
#include <penstock/tests/support/once_asleep.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <signal.h>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(threads_test)

BOOST_AUTO_TEST_CASE(calls_of_four_threads_all_run_on_the_loop_in_each_ones_order,
                     *precondition(onRealKernel)) {
  constexpr int kThreads = 4, kCalls = 5000;
  ReactorFixture loop;
  const auto loopThread = std::this_thread::get_id();
  std::array<std::vector<int>, kThreads> seen;
  int elsewhere = 0, refused = 0;
  std::vector<std::thread> threads;
  std::atomic<int> refusals{0};

  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kCalls; ++i) {
        refusals += !loop->callFromThread([&, t, i] {
          elsewhere += std::this_thread::get_id() != loopThread;
          seen[static_cast<std::size_t>(t)].push_back(i);
        });
      }
    });
  }
  const auto done = [&] {
    return std::ranges::all_of(seen, [](const auto& calls) { return calls.size() == kCalls; });
  };
  loop.runUntil(done, "all calls");
  for (std::thread& thread : threads) thread.join();
  refused = refusals;

  BOOST_TEST(refused == 0);
  BOOST_TEST(elsewhere == 0);
  for (const auto& calls : seen) BOOST_TEST(std::ranges::is_sorted(calls));
}

BOOST_AUTO_TEST_CASE(no_wake_up_is_lost, *precondition(onRealKernel)) {
  constexpr int kRounds = 2000;
  ReactorFixture loop;
  std::binary_semaphore answered{0};
  int served = 0;
  std::atomic<bool> refused{false};
  std::thread asker([&] {  // Each call finds the loop waiting, or about to.
    for (int i = 0; i < kRounds && !refused; ++i) {
      refused = !loop->callFromThread([&] {
        ++served;
        answered.release();
      });
      answered.acquire();
    }
    refused = refused || !loop->callFromThread([&] { loop->stop(); });
  });

  loop->run();
  asker.join();

  BOOST_TEST(!refused);
  BOOST_TEST(served == kRounds);
}

BOOST_AUTO_TEST_CASE(a_full_queue_refuses_and_takes_calls_again_once_it_was_emptied) {
  ReactorOptions options;
  options.threadCallLimit = 3;
  ReactorFixture loop(std::move(options));
  int ran = 0;
  const auto call = [&] { return loop->callFromThread([&] { ++ran; }); };

  for (int i = 0; i < 3; ++i) BOOST_TEST(call());
  BOOST_TEST(!call());
  loop.runUntil([&] { return ran == 3; }, "the calls");
  BOOST_TEST(call());
  loop.runUntil([&] { return ran == 4; }, "the last call");

  BOOST_TEST(ran == 4);
}

BOOST_AUTO_TEST_CASE(a_reactor_that_goes_refuses_calls) {
  Recorder client, server;
  bool taken = true;
  ReactorFixture loop;
  loop.connect(client, server);
  client.onLost = [&](std::error_code) { taken = loop->callFromThread([] {}); };

  loop.destroy();

  BOOST_TEST(client.lost);
  BOOST_TEST(!taken);
}

BOOST_AUTO_TEST_CASE(a_call_from_the_loops_own_thread_is_run_as_well) {
  ReactorFixture loop;
  int ran = 0;
  BOOST_TEST(loop->callFromThread([&] {
    ++ran;
    static_cast<void>(loop->callFromThread([&] { ++ran; }));
  }));

  loop.runUntil([&] { return ran == 2; }, "both calls");

  BOOST_TEST(ran == 2);
}

BOOST_AUTO_TEST_CASE(calls_that_ask_for_the_next_for_ever_keep_nobody_from_their_turn) {
  bool over = false, late = false;
  Recorder client, server;
  ReactorFixture loop;
  std::function<void()> soon = [&] {
    if (!over) loop->callSoon([&] { soon(); });
  };
  std::function<void()> fromThread = [&] {
    if (!over && !loop->callFromThread([&] { fromThread(); })) BOOST_ERROR("refused");
  };
  soon();
  fromThread();

  loop.connect(client, server);
  client.transport().write(asBytes("heard"));
  loop->callLater(std::chrono::milliseconds(1), [&] { late = true; });
  loop.runUntil([&] { return late && server.received == "heard"; }, "a timer and bytes");

  over = true;
  loop.settle();
}

BOOST_AUTO_TEST_CASE(a_call_of_a_thread_may_ask_for_a_timed_call, *precondition(onRealKernel)) {
  ReactorFixture loop;
  bool taken = false;

  OnceAsleep other([&] {
    taken = loop->callFromThread(
        [&] { loop->callLater(std::chrono::milliseconds(1), [&] { loop->stop(); }); });
  });
  loop->run();
  other.join();

  BOOST_TEST(taken);
}

BOOST_AUTO_TEST_CASE(two_reactors_on_two_threads_talk_to_each_other, *precondition(onRealKernel)) {
  constexpr int kRounds = 500;
  ReactorFixture here;
  std::atomic<Reactor*> other{nullptr};
  std::atomic<bool> refused{false};
  int rounds = 0;
  std::function<void()> ping = [&] {
    if (++rounds == kRounds) {
      refused = refused || !other.load()->callFromThread([&] { other.load()->stop(); });
      return here->stop();
    }
    refused = refused || !other.load()->callFromThread(
                             [&] { refused = refused || !here->callFromThread([&] { ping(); }); });
  };
  std::thread thread([&] {
    ReactorFixture there;
    other = &there.reactor();
    refused = refused || !here->callFromThread([&] { ping(); });
    there->run();
  });

  here->run();
  thread.join();

  BOOST_TEST(!refused);
  BOOST_TEST(rounds == kRounds);
}

// --- Whose it is --------------------------------------------------------------------------------

namespace {

// What `call` throws in another thread, in one word.
std::string elsewhere(const std::function<void()>& call) {
  std::string thrown = "nothing";
  std::thread([&] {
    try {
      call();
    } catch (const std::logic_error& error) {
      const bool saysSo = std::string(error.what()).find("a reactor is for the thread") == 0;
      thrown = saysSo ? "wrong thread" : error.what();
    } catch (const std::exception& error) {
      thrown = error.what();
    }
  }).join();
  return thrown;
}

}  // namespace

BOOST_AUTO_TEST_CASE(what_another_thread_calls_is_refused, *precondition(onRealKernel)) {
  ReactorFixture loop;
  Timer timer(loop.reactor(), [] {});
  loop.turn();
  const SocketAddress nowhere;
  const std::vector<std::pair<const char*, std::function<void()>>> calls{
      {"run", [&] { loop->run(); }},
      {"iterate", [&] { loop->iterate(); }},
      {"stop", [&] { loop->stop(); }},
      {"callLater", [&] { loop->callLater(Duration::zero(), [] {}); }},
      {"callSoon", [&] { loop->callSoon([] {}); }},
      {"callWhenRunning", [&] { loop->callWhenRunning([] {}); }},
      {"addSystemEventTrigger",
       [&] {
         loop->addSystemEventTrigger(Reactor::Phase::kBefore, Reactor::Event::kStartup, [] {});
       }},
      {"onSignal", [&] { loop->onSignal(SIGUSR1, [](int) {}); }},
      {"stopOnSignals", [&] { loop->stopOnSignals(); }},
      {"disconnectAll", [&] { loop->disconnectAll(); }},
      {"openStream", [&] { loop->openStream(OwnedFd(), Recorder().makeProtocol()); }},
      {"openListener", [&] { loop->openListener(OwnedFd(), [] { return nullptr; }); }},
      {"openConnect",
       [&] {
         loop->openConnect(OwnedFd(), nowhere.data(), nowhere.length(),
                           [](std::error_code, OwnedFd) {});
       }},
      {"a timer", [&] { timer.arm(Duration::zero()); }},
  };

  for (const auto& [name, call] : calls) {
    BOOST_TEST_CONTEXT(name) { BOOST_TEST(elsewhere(call) == "wrong thread"); }
  }

  loop.turn();
  BOOST_TEST(!loop->stopping());
}

BOOST_AUTO_TEST_CASE(a_reactor_may_be_made_and_filled_in_one_thread_and_run_in_another,
                     *precondition(onRealKernel)) {
  Recorder client, server;
  ReactorFixture loop;
  Listener& listener = loop.listen([&] { return server.makeProtocol(); });
  loop.connectTo(addressOf(listener.descriptor()), client, SocketFamily::kTcp);
  loop->callWhenRunning([&] { loop->callLater(Duration::zero(), [] {}); });
  server.onData = [&](Bytes) { loop->stop(); };
  client.onMade = [&](Transport&) { client.transport().write(asBytes("heard")); };

  std::thread([&] { loop->run(); }).join();

  BOOST_TEST(server.received == "heard");
  BOOST_TEST((client.lost && server.lost));
  loop.destroy();
}

BOOST_AUTO_TEST_CASE(once_it_has_run_in_a_thread_it_stays_that_ones, *precondition(onRealKernel)) {
  ReactorFixture loop;
  loop->callSoon([&] { loop->stop(); });

  std::thread([&] { loop->run(); }).join();

  BOOST_CHECK_THROW(loop->run(), std::logic_error);
  BOOST_CHECK_THROW(loop->iterate(), std::logic_error);
  loop.destroy();
  BOOST_TEST(loop.logLines().empty());
}

BOOST_AUTO_TEST_CASE(
    a_reactor_destroyed_by_another_thread_tells_its_connections_and_crashes_nothing,
    *precondition(onRealKernel)) {
  const MayLeak lostIsNotFreed;
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server);
  bool ran = false;
  BOOST_TEST(loop->callFromThread([&] { ran = true; }));

  std::thread([&] { loop.destroy(); }).join();

  BOOST_TEST(ran);
  BOOST_TEST((client.lost && server.lost));
}

BOOST_AUTO_TEST_CASE(work_in_a_thread_is_not_the_loops_and_tells_it,
                     *boost::unit_test::precondition(onRealKernel)) {
  ReactorFixture loop;
  std::thread::id worker;
  bool done = false;
  BOOST_TEST(loop->callInThread([&] {
    worker = std::this_thread::get_id();
    static_cast<void>(loop->callFromThread([&] { done = true; }));
  }));

  loop.runUntil([&] { return done; }, "the result");

  BOOST_TEST((worker != std::this_thread::get_id()));
}

BOOST_AUTO_TEST_CASE(what_work_in_a_thread_throws_is_logged,
                     *boost::unit_test::precondition(onRealKernel)) {
  ReactorFixture loop;
  BOOST_TEST(loop->callInThread([] { throw std::runtime_error("no disk"); }));

  loop.runUntil([&] { return !loop.logLines().empty(); }, "the log");

  BOOST_TEST(loop.logLines().at(0) == "penstock: exception from work in a thread: no disk");
}

BOOST_AUTO_TEST_CASE(a_reactor_runs_what_waits_for_a_thread_before_it_is_gone,
                     *boost::unit_test::precondition(onRealKernel)) {
  std::atomic<int> ran = 0;
  int called = 0;
  {
    ReactorOptions options;
    options.poolThreads = 2;
    ReactorFixture loop(std::move(options));
    for (int i = 0; i < 20; ++i) {
      BOOST_TEST(loop->callInThread([&] {
        ++ran;
        static_cast<void>(loop->callFromThread([&] { ++called; }));
      }));
    }
    loop.destroy();
  }

  BOOST_TEST(ran == 20);
  BOOST_TEST(called == 20);
}

BOOST_AUTO_TEST_CASE(more_work_than_may_wait_is_refused,
                     *boost::unit_test::precondition(onRealKernel)) {
  ReactorOptions options;
  options.poolThreads = 1;
  options.poolTaskLimit = 1;
  std::atomic<bool> go = false;
  ReactorFixture loop(std::move(options));
  const auto wait = [&] {
    while (!go) std::this_thread::yield();
  };

  int taken = 0;
  while (taken < 10 && loop->callInThread(wait)) ++taken;
  go = true;

  BOOST_TEST(taken >= 1);
  BOOST_TEST(taken <= 2);
}

BOOST_AUTO_TEST_SUITE_END()
