// Turns: how long they wait, driving them from a foreign loop, and run() and stop().
#include <penstock/tests/support/once_asleep.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/stream_pair.h>
#include <penstock/transports/loopback.h>

#include <poll.h>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;
using boost::test_tools::per_element;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(turns_test)

BOOST_AUTO_TEST_CASE(the_loop_cannot_be_turned_from_what_is_called_between_turns) {
  Recorder client, server, first, second;
  ReactorFixture loop;
  int refused = 0;
  const auto tryToTurn = [&] {
    BOOST_CHECK_THROW(loop->iterate(), std::logic_error);
    BOOST_CHECK_THROW(loop->run(), std::logic_error);
    ++refused;
  };
  loop.connect(client, server);
  first.onMade = [&](Transport&) { tryToTurn(); };
  client.onLost = [&](std::error_code) { tryToTurn(); };

  loopbackPair(loop.reactor(), first.makeProtocol(), second.makeProtocol());
  loop->disconnectAll();

  BOOST_TEST(refused == 2);
}

BOOST_AUTO_TEST_CASE(time_until_due_is_none_without_timers_and_zero_with_work) {
  ReactorFixture loop;
  loop.settle();
  BOOST_TEST(!loop->timeUntilDue());

  DelayedCall call = loop->callLater(1h, [] {});
  BOOST_TEST_REQUIRE(loop->timeUntilDue());
  BOOST_TEST(*loop->timeUntilDue() <= 1h);
  BOOST_TEST(*loop->timeUntilDue() > 59min);
  loop->callSoon([] {});
  BOOST_TEST(loop->timeUntilDue() == Duration::zero());
  loop.turn();
  call.cancel();

  loop.settle();
  BOOST_TEST(!loop->timeUntilDue());
}

BOOST_AUTO_TEST_CASE(time_until_due_is_that_of_the_nearest_timer_whatever_becomes_of_it) {
  ReactorFixture loop;
  loop.settle();
  const auto isAbout = [&](Duration expected) {
    const std::optional<Duration> due = loop->timeUntilDue();
    return due && *due <= expected && *due > expected - 1min;
  };

  DelayedCall near = loop->callLater(1h, [] {});
  DelayedCall far = loop->callLater(2h, [] {});
  BOOST_TEST(isAbout(1h));
  near.delay(3h);
  BOOST_TEST(isAbout(2h));
  far.reset(5h);
  BOOST_TEST(isAbout(4h));
  near.cancel();
  BOOST_TEST(isAbout(5h));
  far.cancel();

  BOOST_TEST(!loop->timeUntilDue());
}

BOOST_AUTO_TEST_CASE(an_idle_iterate_waits_as_long_as_told) {
  ReactorFixture loop;
  loop.settle();

  const TimePoint before = loop->now();
  for (int i = 0; i < 10; ++i) loop->iterate(1ms);
  const Duration waited = loop->now() - before;

  BOOST_TEST(waited >= 5ms);  // A signal may end a wait early.
  BOOST_TEST(waited < 5s);
}

// Idle is without turns: each of these sets the loop turning until it has found that out.
BOOST_AUTO_TEST_CASE(an_idle_loop_does_not_spin) {
  for (const char* what : {"nothing", "idle connections", "a paused reader", "half-closes"}) {
    BOOST_TEST_CONTEXT(what) {
      const std::string name = what;
      Recorder client, server;
      client.halfCloseable = server.halfCloseable = true;
      ReactorFixture loop;
      loop.listen([] { return nullptr; });
      if (name != "nothing") loop.connect(client, server, SocketFamily::kTcp, useSmallBuffers);
      if (name == "a paused reader") {
        server.transport().pauseProducing();
        client.transport().write(asBytes(std::string(kMoreThanSmallBuffers, 'x')));
      }
      if (name == "half-closes") {
        client.transport().loseWriteConnection();
        server.transport().loseWriteConnection();
      }
      loop.settle();
      if (name == "a paused reader") BOOST_TEST(client.transport().bufferedBytes() > 0U);

      bool over = false;
      int turns = 0;
      loop->callLater(20ms, [&] { over = true; });
      loop.runUntil([&] { return ++turns, over; }, "the time to be over");

      BOOST_TEST(turns < 10);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_turn_does_not_sleep_while_more_is_to_be_written_than_it_takes,
                     *precondition(onSimulatedKernel)) {
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server, SocketFamily::kTcp, [](int fd) { setSendBuffer(fd, 8 << 20); });
  server.transport().pauseProducing();  // So that nothing but the writer itself wakes the loop.

  client.transport().write(asBytes(std::string(4 << 20, 'x')));
  loop.runUntil([&] { return client.transport().bufferedBytes() == 0; }, "all to be written");

  BOOST_TEST(server.received.empty());
}

BOOST_AUTO_TEST_CASE(a_turn_does_not_sleep_while_more_is_to_be_passed_in_memory_than_it_takes) {
  const std::string mebibyte(1 << 20, 'x');
  Recorder one, other;
  ReactorFixture loop;
  loopbackPair(loop.reactor(), one.makeProtocol(), other.makeProtocol());

  one.transport().write(asBytes(mebibyte));
  int turns = 0;
  while (other.received.size() < mebibyte.size() && turns < 1000) {
    loop->iterate(std::chrono::hours(1));
    ++turns;
  }

  BOOST_TEST(other.received.size() == mebibyte.size());
  BOOST_TEST(turns > 1);
}

// As in Twisted a turn makes the calls that are due and then waits, so the next one makes this
// call. A wait may end early, as by a signal.
BOOST_AUTO_TEST_CASE(iterate_waits_no_longer_than_until_a_timer_is_due) {
  ReactorFixture loop;
  bool fired = false;
  loop->callLater(2ms, [&] { fired = true; });
  const TimePoint before = loop->now();  // It is due 2 ms after this at the latest.

  constexpr int kMostTurns = 10;
  for (int turn = 0; turn < kMostTurns && loop->now() - before < 2ms; ++turn) loop->iterate(1h);
  loop->iterate();

  BOOST_TEST(fired);
  BOOST_TEST(loop->now() - before < 30s);
}

BOOST_AUTO_TEST_CASE(a_foreign_poll_loop_can_drive_the_reactor, *precondition(onRealKernel)) {
  Recorder client, server;
  bool timer = false;
  int idlePolls = 0;
  ReactorFixture loop;
  server.onData = [&](Bytes bytes) { server.transport().write(bytes); };
  client.onData = [&](Bytes) {
    if (client.received.size() < 400) client.transport().write(asBytes("ping"));
  };
  loop.connect(client, server);
  loop->callLater(5ms, [&] { timer = true; });
  client.transport().write(asBytes("ping"));
  loop->iterate();

  while ((client.received.size() < 400 || !timer) && idlePolls < 1000) {
    pollfd readable{loop->pollDescriptor(), POLLIN, 0};
    const std::optional<Duration> due = loop->timeUntilDue();
    const auto milliseconds = due ? std::chrono::ceil<std::chrono::milliseconds>(*due) : 1000ms;
    const int ready = ::poll(&readable, 1, static_cast<int>(milliseconds.count()));
    idlePolls += ready == 0 && !due;
    loop->iterate();
  }

  BOOST_TEST(client.received.size() >= 400U);
  BOOST_TEST(timer);
  BOOST_TEST(idlePolls == 0);  // Whenever there was work, the descriptor said so.
}

BOOST_AUTO_TEST_CASE(a_foreign_loop_asleep_in_poll_is_woken_at_once, *precondition(onRealKernel)) {
  ReactorFixture loop;
  bool called = false, queued = false;
  pollfd readable{loop->pollDescriptor(), POLLIN, 0};
  for (int turn = 0; turn < 100 && (loop->timeUntilDue() || ::poll(&readable, 1, 0) > 0); ++turn) {
    loop->iterate();
  }
  const TimePoint before = loop->now();

  OnceAsleep other([&] { queued = loop->callFromThread([&] { called = true; }); });
  const int ready = ::poll(&readable, 1, 10000);
  const Duration slept = loop->now() - before;
  other.join();
  for (int turn = 0; turn < 100 && !called; ++turn) loop->iterate();

  BOOST_TEST(queued);
  BOOST_TEST(ready == 1);
  BOOST_TEST(slept < 9s);
  BOOST_TEST(called);
}

// --- run() and stop() ---------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(run_ends_after_stop_and_may_be_called_again) {
  ReactorFixture loop;
  int runs = 0;

  for (int i = 0; i < 3; ++i) {
    loop->callSoon([&] {
      ++runs;
      BOOST_TEST(loop->running());
      loop->stop();
    });
    loop->run();
    BOOST_TEST(!loop->running());
  }

  BOOST_TEST(runs == 3);
}

BOOST_AUTO_TEST_CASE(stop_before_run_ends_it_at_once) {
  ReactorFixture loop;

  loop->stop();
  loop->run();

  BOOST_TEST(!loop->running());
}

BOOST_AUTO_TEST_CASE(running_inside_a_run_is_a_mistake) {
  ReactorFixture loop;
  bool thrown = false;
  loop->callSoon([&] {
    try {
      loop->run();
    } catch (const std::logic_error&) {
      thrown = true;
    }
    loop->stop();
  });

  loop->run();

  BOOST_TEST(thrown);
}

BOOST_AUTO_TEST_CASE(a_timer_ends_a_run_that_has_nothing_else_to_wait_for) {
  ReactorFixture loop;
  const TimePoint before = loop->now();
  loop->callLater(10ms, [&] { loop->stop(); });

  loop->run();

  BOOST_TEST(loop->now() - before >= 10ms);
}

BOOST_AUTO_TEST_CASE(call_when_running_waits_for_the_run_and_is_immediate_inside_it) {
  ReactorFixture loop;
  std::vector<std::string> events;
  loop->callWhenRunning([&] { events.emplace_back("waited"); });
  loop.turn(3);
  BOOST_TEST(events.empty());

  loop->callSoon([&] {
    loop->callWhenRunning([&] { events.emplace_back("inside"); });
    events.emplace_back("after");
    loop->stop();
  });
  loop->run();

  BOOST_TEST(events == (std::vector<std::string>{"waited", "inside", "after"}), per_element());
}

// However reads and the writes of a turn are ordered, no read may wait for what a peer takes.
BOOST_AUTO_TEST_CASE(answers_that_peers_do_not_read_keep_nobody_from_reading) {
  constexpr std::size_t kPairs = 8;
  std::array<Recorder, kPairs> clients, servers;
  ReactorFixture loop;
  for (std::size_t i = 0; i < kPairs; ++i) {
    loop.connect(clients[i], servers[i], SocketFamily::kTcp, useSmallBuffers);
    servers[i].onData = [&server = servers[i]](Bytes) {
      server.transport().write(std::string(200'000, 'a'));
    };
    clients[i].transport().pauseReading();
  }

  for (std::size_t round = 1; round <= 10; ++round) {
    for (Recorder& client : clients) client.transport().write("x");
    loop.runUntil(
        [&] {
          return std::ranges::all_of(
              servers, [round](const Recorder& each) { return each.received.size() == round; });
        },
        "all to be read");
  }

  for (Recorder& server : servers) BOOST_TEST(server.transport().bufferedBytes() > 0U);
}

BOOST_AUTO_TEST_SUITE_END()
