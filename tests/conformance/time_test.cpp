// Time: when calls come, in which order, and when not.
#include <penstock/runtime/timer.h>
#include <penstock/tests/support/once_asleep.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <signal.h>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;
using boost::test_tools::per_element;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(time_test)

BOOST_AUTO_TEST_CASE(a_timed_call_is_never_early) {
  ReactorFixture loop;
  int fired = 0, early = 0;
  const std::vector<Duration> delays{0ns, 1ns, 1us, 77us, 500us, 1ms, 1500us, 3ms, 10ms};

  for (const Duration delay : delays) {
    const TimePoint due = loop->now() + delay;
    loop->callLater(delay, [&, due] {
      ++fired;
      early += loop->now() < due;
    });
  }
  loop.runUntil([&] { return fired == static_cast<int>(delays.size()); }, "all timed calls");

  BOOST_TEST(early == 0);
}

BOOST_AUTO_TEST_CASE(timed_calls_come_in_the_order_of_their_times) {
  ReactorFixture loop;
  std::vector<int> order;
  const auto note = [&order](int number) { return [&order, number] { order.push_back(number); }; };

  const TimePoint start = loop->now();  // The same for all, however long this takes.
  for (const int number : {3, 1, 2}) {
    DelayedCall call = loop->callLater(1h, note(number));
    call.delay(start + number * 1ms - call.getTime());
  }
  loop.runUntil([&] { return order.size() == 3; }, "all timed calls");

  BOOST_TEST(order == (std::vector<int>{1, 2, 3}), per_element());
}

BOOST_AUTO_TEST_CASE(timers_of_the_same_deadline_come_in_the_order_of_arming) {
  ReactorFixture loop;
  std::vector<int> order;
  std::vector<DelayedCall> calls;
  for (int i = 0; i < 10; ++i) {
    calls.push_back(loop->callLater(1h, [&order, i] { order.push_back(i); }));
  }

  const TimePoint due = loop->now() + 2ms;
  for (DelayedCall& call : calls) call.delay(due - call.getTime());
  loop.runUntil([&] { return order.size() == 10; }, "all timed calls");

  BOOST_TEST(order == (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}), per_element());
}

BOOST_AUTO_TEST_CASE(a_cancelled_call_is_not_made) {
  ReactorFixture loop;
  bool made = false, other = false;
  DelayedCall call = loop->callLater(1ms, [&] { made = true; });
  loop->callLater(2ms, [&] { other = true; });

  BOOST_TEST(call.active());
  BOOST_TEST(call.cancel());
  BOOST_TEST(!call.active());
  BOOST_TEST(!call.cancel());
  loop.runUntil([&] { return other; }, "the other call");

  BOOST_TEST(!made);
}

BOOST_AUTO_TEST_CASE(a_call_may_cancel_one_that_is_due_at_the_same_time) {
  ReactorFixture loop;
  int made = 0;
  std::vector<DelayedCall> calls;
  for (std::size_t i = 0; i < 2; ++i) {
    calls.push_back(loop->callLater(1h, [&, i] {
      ++made;
      BOOST_TEST(calls[1 - i].cancel());
    }));
  }

  for (DelayedCall& call : calls) call.delay(-1h);
  loop.runUntil([&] { return made > 0; }, "the first of them");
  loop.settle();

  BOOST_TEST(made == 1);
}

BOOST_AUTO_TEST_CASE(a_cancelled_call_lets_its_callback_go) {
  ReactorFixture loop;
  auto kept = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = kept;
  DelayedCall call = loop->callLater(1h, [kept] { ++*kept; });
  kept.reset();
  BOOST_TEST(!watched.expired());

  call.cancel();

  BOOST_TEST(watched.expired());
}

BOOST_AUTO_TEST_CASE(a_call_that_was_made_is_not_active_any_more) {
  ReactorFixture loop;
  bool made = false, activeInside = true;
  DelayedCall call;
  call = loop->callLater(0ns, [&] {
    made = true;
    activeInside = call.active();
  });

  loop.runUntil([&] { return made; }, "the call");

  BOOST_TEST(!activeInside);
  BOOST_TEST(!call.cancel());
  BOOST_TEST(!call.reset(1ms));
  BOOST_TEST(!call.delay(1ms));
  BOOST_TEST(call.getTime() == TimePoint{});
}

BOOST_AUTO_TEST_CASE(an_old_handle_does_not_touch_a_newer_call) {
  ReactorFixture loop;
  bool made = false;
  DelayedCall old = loop->callLater(1h, [] {});
  old.cancel();
  DelayedCall newer = loop->callLater(1ms, [&] { made = true; });

  BOOST_TEST(!old.cancel());
  BOOST_TEST(newer.active());
  loop.runUntil([&] { return made; }, "the newer call");

  BOOST_TEST(made);
}

BOOST_AUTO_TEST_CASE(reset_counts_from_now_and_delay_from_its_time) {
  ReactorFixture loop;
  TimePoint fired{};
  DelayedCall call = loop->callLater(1h, [&] { fired = loop->now(); });

  const TimePoint before = call.getTime();
  BOOST_TEST(call.delay(1h));
  BOOST_TEST(call.getTime() == before + 1h);
  const TimePoint present = loop->now();
  BOOST_TEST(call.reset(2ms));
  BOOST_TEST(call.getTime() >= present + 2ms);
  BOOST_TEST(call.getTime() < present + 1h);
  loop.runUntil([&] { return !call.active(); }, "the call");

  BOOST_TEST(fired >= present + 2ms);
}

BOOST_AUTO_TEST_CASE(a_negative_delay_is_a_mistake) {
  ReactorFixture loop;

  BOOST_CHECK_THROW(loop->callLater(-1ns, [] {}), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(a_delay_beyond_all_time_is_no_mistake) {
  ReactorFixture loop;
  bool made = false, soon = false;

  DelayedCall never = loop->callLater(Duration::max(), [&] { made = true; });
  loop->callLater(1ms, [&] { soon = true; });
  loop.runUntil([&] { return soon; }, "the other call");

  BOOST_TEST(!made);
  BOOST_TEST(never.active());
}

// The wait itself has no other limit than this call's.
BOOST_AUTO_TEST_CASE(a_loop_with_nothing_but_a_distant_call_is_woken_all_the_same,
                     *precondition(onRealKernel)) {
  for (const Duration delay : {Duration::max(), Duration(24h * 365 * 200), Duration(24h * 40)}) {
    ReactorFixture loop;
    bool made = false, taken = false;
    DelayedCall distant = loop->callLater(delay, [&] { made = true; });

    OnceAsleep other([&] { taken = loop->callFromThread([&] { loop->stop(); }); });
    loop->run();
    other.join();

    BOOST_TEST(taken);
    BOOST_TEST(!made);
    BOOST_TEST(distant.active());
  }
}

BOOST_AUTO_TEST_CASE(a_timed_call_asked_for_in_a_timed_call_waits_for_the_next_turn) {
  ReactorFixture loop;
  int calls = 0;
  std::function<void()> again = [&] {
    ++calls;
    loop->callLater(0ns, [&] { again(); });
  };
  loop->callLater(0ns, [&] { again(); });

  for (int turn = 1; turn <= 5; ++turn) {
    loop.turn();
    BOOST_TEST(calls <= turn);
  }
  loop.runUntil([&] { return calls > 5; }, "the next ones");
}

BOOST_AUTO_TEST_CASE(a_call_asked_for_in_a_call_waits_for_the_next_turn) {
  ReactorFixture loop;
  int calls = 0;
  std::function<void()> again = [&] {
    ++calls;
    loop->callSoon([&] { again(); });
  };
  loop->callSoon([&] { again(); });

  for (int turn = 1; turn <= 5; ++turn) {
    loop.turn();
    BOOST_TEST(calls == turn);
  }
}

BOOST_AUTO_TEST_CASE(calls_come_in_the_order_of_asking) {
  ReactorFixture loop;
  std::vector<int> order;
  for (int i = 0; i < 100; ++i) loop->callSoon([&order, i] { order.push_back(i); });

  loop.turn();

  BOOST_TEST(order.size() == 100U);
  BOOST_TEST(std::is_sorted(order.begin(), order.end()));
}

BOOST_AUTO_TEST_CASE(an_embedded_timer_may_be_armed_again_cancelled_and_destroyed_in_its_callback) {
  ReactorFixture loop;
  int periodic = 0;
  bool cancelled = false;
  std::unique_ptr<Timer> once;
  Timer tick(loop.reactor(), [&] {
    if (++periodic < 3) tick.arm(1ms);
  });
  Timer never(loop.reactor(), [&] { cancelled = true; });
  once = std::make_unique<Timer>(loop.reactor(), [&] { once.reset(); });

  tick.arm(1h);
  tick.arm(1ms);  // Instead of, not besides.
  once->arm(1ms);
  never.arm(1ms);
  never.cancel();
  loop.runUntil([&] { return periodic == 3 && !once; }, "the timers");
  loop.settle();

  BOOST_TEST(periodic == 3);
  BOOST_TEST(!cancelled);
  BOOST_TEST(!tick.active());
}

BOOST_AUTO_TEST_CASE(a_timer_destroyed_in_its_own_callback_leaves_it_what_it_captured) {
  ReactorFixture loop;
  auto captured = std::make_shared<int>(7);
  const std::weak_ptr<int> watched = captured;
  std::unique_ptr<Timer> timer;
  int seen = 0;
  timer = std::make_unique<Timer>(loop.reactor(), [&, kept = std::move(captured)] {
    timer.reset();
    seen = watched.expired() ? -1 : *kept;
  });
  timer->arm(0ns);

  loop.runUntil([&] { return seen != 0; }, "the timer");

  BOOST_TEST(seen == 7);
  BOOST_TEST(watched.expired());
}

BOOST_AUTO_TEST_CASE(a_timer_keeps_its_callback_from_one_time_to_the_next) {
  ReactorFixture loop;
  int times = 0;
  Timer timer(loop.reactor(), [&times, counted = std::make_unique<int>(0)] {
    times = ++*counted;
    if (times == 2) throw std::runtime_error("thrown by the test");
  });

  for (int time = 1; time <= 3; ++time) {
    timer.arm(0ns);
    loop.runUntil([&] { return times == time; }, "the timer");
  }

  BOOST_TEST(times == 3);
}

BOOST_AUTO_TEST_CASE(an_empty_callback_is_a_mistake_at_the_call_that_takes_it) {
  ReactorFixture loop;
  using Event = Reactor::Event;
  using Phase = Reactor::Phase;

  BOOST_CHECK_THROW(loop->callLater(1ms, Callback()), std::invalid_argument);
  BOOST_CHECK_THROW(loop->callSoon({}), std::invalid_argument);
  BOOST_CHECK_THROW(static_cast<void>(loop->callFromThread({})), std::invalid_argument);
  BOOST_CHECK_THROW(loop->callWhenRunning({}), std::invalid_argument);
  BOOST_CHECK_THROW(loop->addSystemEventTrigger(Phase::kBefore, Event::kStartup, {}),
                    std::invalid_argument);
  BOOST_CHECK_THROW(loop->onStopSignals({}), std::invalid_argument);
  BOOST_CHECK_THROW(loop->onSignal(SIGUSR1, {}), std::invalid_argument);
  BOOST_CHECK_THROW(Timer(loop.reactor(), Callback()), std::invalid_argument);
  loop.turn(3);  // Nothing of it was kept.
}

BOOST_AUTO_TEST_CASE(no_protocol_and_an_empty_factory_or_handler_are_mistakes_too) {
  ReactorFixture loop;
  Listener& listener = loop.listen([] { return nullptr; });
  const SocketAddress to = addressOf(listener.descriptor());
  const auto socket = [&] { return makeSocket(loop.reactor(), SocketFamily::kTcp); };

  BOOST_CHECK_THROW(loop->openStream(socket(), nullptr), std::invalid_argument);
  BOOST_CHECK_THROW(loop->openListener(socket(), {}), std::invalid_argument);
  BOOST_CHECK_THROW(loop->openConnect(socket(), to.data(), to.length(), {}), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(a_thousand_timers_come_once_each_and_in_order) {
  ReactorFixture loop;
  std::vector<TimePoint> due(1000);
  std::vector<TimePoint> fired;
  for (std::size_t i = 0; i < due.size(); ++i) {
    const Duration delay = std::chrono::microseconds(i * 7919 % 10'000);
    due[i] = loop->callLater(delay, [&, i] { fired.push_back(due[i]); }).getTime();
  }

  loop.runUntil([&] { return fired.size() >= 1000; }, "all timers");
  loop.settle();

  BOOST_TEST(fired.size() == 1000U);
  BOOST_TEST(std::ranges::is_sorted(fired));
}

BOOST_AUTO_TEST_SUITE_END()
