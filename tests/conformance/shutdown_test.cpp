// Triggers and signals: how a run begins and ends.
#define BOOST_TEST_MODULE shutdown
#include <penstock/tests/support/once_asleep.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <signal.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::test_tools::per_element;
using boost::unit_test::precondition;
using Event = Reactor::Event;
using Phase = Reactor::Phase;
using Events = std::vector<std::string>;

namespace {

void addTrigger(ReactorFixture& loop, Events& events, Phase phase, Event event, std::string name) {
  loop->addSystemEventTrigger(phase, event, [&events, name] { events.push_back(name); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(triggers_come_phase_by_phase_and_in_the_order_of_adding) {
  ReactorFixture loop;
  Events events;
  for (const char* number : {"1", "2"}) {
    for (const Event event : {Event::kShutdown, Event::kStartup}) {
      const std::string name = event == Event::kStartup ? " startup " : " shutdown ";
      addTrigger(loop, events, Phase::kAfter, event, "after" + name + number);
      addTrigger(loop, events, Phase::kDuring, event, "during" + name + number);
      addTrigger(loop, events, Phase::kBefore, event, "before" + name + number);
    }
  }
  loop->callSoon([&] {
    loop->stop();
    events.emplace_back("running");  // stop() itself fires nothing.
  });

  loop->run();

  const Events expected{"before startup 1",  "before startup 2",  "during startup 1",
                        "during startup 2",  "after startup 1",   "after startup 2",
                        "running",           "before shutdown 1", "before shutdown 2",
                        "during shutdown 1", "during shutdown 2", "after shutdown 1",
                        "after shutdown 2"};
  BOOST_TEST(events == expected, per_element());
}

BOOST_AUTO_TEST_CASE(a_removed_trigger_does_not_come) {
  ReactorFixture loop;
  Events events;
  const auto id = loop->addSystemEventTrigger(Phase::kDuring, Event::kStartup,
                                              [&] { events.emplace_back("removed"); });
  addTrigger(loop, events, Phase::kDuring, Event::kStartup, "kept");

  BOOST_TEST(loop->removeSystemEventTrigger(id));
  BOOST_TEST(!loop->removeSystemEventTrigger(id));
  loop->stop();
  loop->run();

  BOOST_TEST(events == Events{"kept"}, per_element());
}

BOOST_AUTO_TEST_CASE(a_trigger_may_add_and_remove_triggers) {
  ReactorFixture loop;
  Events events;
  Reactor::TriggerId removed = 0;
  loop->addSystemEventTrigger(Phase::kBefore, Event::kShutdown, [&] {
    events.emplace_back("first");
    loop->removeSystemEventTrigger(removed);
    addTrigger(loop, events, Phase::kBefore, Event::kShutdown, "added");
  });
  removed = loop->addSystemEventTrigger(Phase::kBefore, Event::kShutdown,
                                        [&] { events.emplace_back("removed"); });
  loop->stop();

  loop->run();

  BOOST_TEST(events == (Events{"first", "added"}), per_element());
}

BOOST_AUTO_TEST_CASE(a_trigger_may_remove_one_of_a_later_phase) {
  ReactorFixture loop;
  Events events;
  Reactor::TriggerId during = 0, after = 0;
  addTrigger(loop, events, Phase::kAfter, Event::kShutdown, "kept");
  loop->addSystemEventTrigger(Phase::kBefore, Event::kShutdown, [&] {
    BOOST_TEST(loop->removeSystemEventTrigger(during));
    BOOST_TEST(loop->removeSystemEventTrigger(after));
  });
  during = loop->addSystemEventTrigger(Phase::kDuring, Event::kShutdown,
                                       [&] { events.emplace_back("during"); });
  after = loop->addSystemEventTrigger(Phase::kAfter, Event::kShutdown,
                                      [&] { events.emplace_back("after"); });
  loop->stop();

  loop->run();

  BOOST_TEST(events == Events{"kept"}, per_element());
}

BOOST_AUTO_TEST_CASE(calls_when_running_come_between_the_startup_triggers_of_their_time) {
  ReactorFixture loop;
  Events events;
  addTrigger(loop, events, Phase::kAfter, Event::kStartup, "after 1");
  loop->callWhenRunning([&] { events.emplace_back("call"); });
  addTrigger(loop, events, Phase::kAfter, Event::kStartup, "after 2");
  addTrigger(loop, events, Phase::kBefore, Event::kStartup, "before");
  loop->stop();

  loop->run();

  BOOST_TEST(events == (Events{"before", "after 1", "call", "after 2"}), per_element());
}

BOOST_AUTO_TEST_CASE(a_trigger_comes_in_one_run_only) {
  ReactorFixture loop;
  Events events;
  addTrigger(loop, events, Phase::kDuring, Event::kShutdown, "once");

  for (int i = 0; i < 2; ++i) {
    loop->stop();
    loop->run();
  }

  BOOST_TEST(events == Events{"once"}, per_element());
}

BOOST_AUTO_TEST_CASE(connections_last_until_the_end_of_the_during_phase) {
  Recorder client, server;
  Events events;
  ReactorFixture loop;
  loop.connect(client, server);
  const auto note = [&](const char* phase) {
    return
        [&, phase] { events.push_back(phase + std::string(client.lost ? ": lost" : ": there")); };
  };
  loop->addSystemEventTrigger(Phase::kBefore, Event::kShutdown, note("before"));
  loop->addSystemEventTrigger(Phase::kDuring, Event::kShutdown, note("during"));
  loop->addSystemEventTrigger(Phase::kAfter, Event::kShutdown, note("after"));
  loop->stop();

  loop->run();

  BOOST_TEST(events == (Events{"before: there", "during: there", "after: lost"}), per_element());
  BOOST_TEST(server.lost);
}

// --- Signals ------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_stop_signals_end_the_run, *precondition(onRealKernel)) {
  for (const int signal : {SIGINT, SIGTERM}) {
    ReactorFixture loop;
    bool stopped = false;
    loop->stopOnSignals();
    loop->addSystemEventTrigger(Phase::kAfter, Event::kShutdown, [&] { stopped = true; });
    loop->callSoon([signal] { ::raise(signal); });

    loop->run();

    BOOST_TEST(stopped);
  }
}

BOOST_AUTO_TEST_CASE(a_signal_wakes_a_loop_that_waits, *precondition(onRealKernel)) {
  ReactorFixture loop;
  loop->stopOnSignals();
  const OnceAsleep other([] { ::kill(::getpid(), SIGTERM); });

  loop->run();

  BOOST_TEST(!loop->running());
}

BOOST_AUTO_TEST_CASE(a_callback_may_take_the_stop_signals, *precondition(onRealKernel)) {
  ReactorFixture loop;
  std::vector<int> signals;
  loop->onStopSignals([&](int signal) {
    signals.push_back(signal);
    if (signals.size() == 2) return loop->stop();
    loop->callSoon([] { ::raise(SIGTERM); });
  });
  loop->callSoon([] { ::raise(SIGINT); });

  loop->run();

  BOOST_TEST(signals == (std::vector<int>{SIGINT, SIGTERM}), per_element());
}

BOOST_AUTO_TEST_CASE(one_reactor_of_a_process_watches_the_signals, *precondition(onRealKernel)) {
  ReactorFixture first, second;
  first->stopOnSignals();

  BOOST_CHECK_THROW(second->stopOnSignals(), std::logic_error);
  first.destroy();

  BOOST_CHECK_NO_THROW(second->stopOnSignals());
}

BOOST_AUTO_TEST_CASE(the_old_handlers_come_back_with_the_end_of_the_reactor,
                     *precondition(onRealKernel)) {
  struct sigaction before {
  }, after{};
  ::sigaction(SIGTERM, nullptr, &before);

  {
    ReactorFixture loop;
    loop->stopOnSignals();
    ::sigaction(SIGTERM, nullptr, &after);
    BOOST_TEST(after.sa_handler != before.sa_handler);
  }
  ::sigaction(SIGTERM, nullptr, &after);

  BOOST_TEST(after.sa_handler == before.sa_handler);
}
