// Triggers and signals: how a run begins and ends.
#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/core/reactor_object.h>
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/once_asleep.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::test_tools::per_element;
using boost::unit_test::precondition;
using Event = Reactor::Event;
using Phase = Reactor::Phase;
using Events = std::vector<std::string>;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(shutdown_test)

namespace {

void addTrigger(ReactorFixture& loop, Events& events, Phase phase, Event event, std::string name) {
  loop->addSystemEventTrigger(phase, event, [&events, name] { events.push_back(name); });
}

struct sigaction dispositionOf(int signal) {
  struct sigaction now {};
  ::sigaction(signal, nullptr, &now);
  return now;
}

// Changes a disposition for its life.
class Disposition {
 public:
  Disposition(int signal, void (*handler)(int)) : signal_(signal) {
    struct sigaction action {};
    action.sa_handler = handler;
    ::sigaction(signal, &action, &before_);
  }
  ~Disposition() { ::sigaction(signal_, &before_, nullptr); }
  Disposition(const Disposition&) = delete;
  Disposition& operator=(const Disposition&) = delete;

 private:
  int signal_;
  struct sigaction before_ {};
};

// Runs `child` in a forked child, and gives how that ended. Wait for nothing without a limit there.
int statusOfChild(const std::function<int()>& child) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::alarm(20);
    ::_exit(child());
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(pid, &status, 0) == pid);
  return status;
}

// Something open that the kernel does not let go of before it is told to.
class Stuck final : public ReactorObject {
 public:
  Stuck(Reactor& reactor, bool& held) : reactor_(ReactorBase::of(reactor)), held_(held) {
    reactor_.adopt(*this);
  }
  void disconnectFromReactor() noexcept override { reactor_.retire(*this); }
  bool inUseByKernel() const noexcept override { return held_; }

 private:
  ReactorBase& reactor_;
  bool& held_;
};

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

BOOST_AUTO_TEST_CASE(a_stop_signal_ends_every_reactor_that_asked_for_it,
                     *precondition(onRealKernel)) {
  ReactorFixture first, second;
  first->stopOnSignals();
  second->stopOnSignals();
  first->callSoon([] { ::raise(SIGTERM); });

  first->run();
  second->run();

  BOOST_TEST(!second->running());
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

BOOST_AUTO_TEST_CASE(any_signal_may_be_watched, *precondition(onRealKernel)) {
  ReactorFixture loop;
  std::vector<int> heard;
  for (const int signal : {SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, SIGQUIT, SIGWINCH, SIGRTMAX}) {
    loop->onSignal(signal, [&](int number) { heard.push_back(number); });
  }

  for (const int signal : {SIGUSR2, SIGHUP, SIGRTMAX, SIGQUIT}) ::raise(signal);
  loop.turn();
  BOOST_TEST(heard == (std::vector<int>{SIGHUP, SIGQUIT, SIGUSR2, SIGRTMAX}), per_element());
  heard.clear();
  BOOST_TEST(statusOfChild([] { return 0; }) == 0);
  loop.runUntil([&] { return !heard.empty(); }, "the end of the child");

  BOOST_TEST(heard == std::vector<int>{SIGCHLD}, per_element());
}

BOOST_AUTO_TEST_CASE(several_may_watch_a_signal_and_each_may_be_removed,
                     *precondition(onRealKernel)) {
  ReactorFixture loop, other;
  const Disposition ignored(SIGUSR1, SIG_IGN);
  Events events;
  Reactor::SignalId second = 0;
  loop->onSignal(SIGUSR1, [&](int) {
    events.emplace_back("first");
    loop->removeSignal(second);
    loop->onSignal(SIGUSR1, [&](int) { events.emplace_back("added"); });
  });
  second = loop->onSignal(SIGUSR1, [&](int) { events.emplace_back("second"); });
  const auto third = loop->onSignal(SIGUSR1, [&](int) { events.emplace_back("third"); });
  const auto elsewhere = other->onSignal(SIGUSR1, [&](int) { events.emplace_back("other"); });

  ::raise(SIGUSR1);
  loop.turn();
  other.turn();

  BOOST_TEST(events == (Events{"first", "third", "other"}), per_element());
  BOOST_TEST(!loop->removeSignal(second));
  BOOST_TEST(loop->removeSignal(third));
  BOOST_TEST(other->removeSignal(elsewhere));
  BOOST_TEST((dispositionOf(SIGUSR1).sa_handler != SIG_IGN));
  loop.destroy();
  BOOST_TEST((dispositionOf(SIGUSR1).sa_handler == SIG_IGN));
}

BOOST_AUTO_TEST_CASE(a_signal_callback_that_throws_keeps_nobody_else_from_hearing,
                     *precondition(onRealKernel)) {
  ReactorFixture loop;
  int heard = 0;
  loop->onSignal(SIGUSR1, [](int) { throw std::runtime_error("thrown by the test"); });
  loop->onSignal(SIGUSR1, [&](int) { ++heard; });
  loop->onSignal(SIGUSR2, [&](int) { ++heard; });

  ::raise(SIGUSR1);
  ::raise(SIGUSR2);
  loop.turn();

  BOOST_TEST(heard == 2);
  BOOST_TEST(loop.logLines().size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_is_no_signal_or_can_not_wait_is_refused) {
  ReactorFixture loop;
  for (const int signal : {0, -1, 65, 1'000'000, SIGKILL, SIGSTOP, SIGSEGV, SIGFPE, 32}) {
    BOOST_TEST_CONTEXT("signal " << signal) {
      BOOST_CHECK_THROW(loop->onSignal(signal, [](int) {}), std::invalid_argument);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_handler_that_somebody_put_there_since_stays, *precondition(onRealKernel)) {
  const Disposition before(SIGUSR1, SIG_DFL);
  {
    ReactorFixture loop;
    loop->onSignal(SIGUSR1, [](int) {});
    ::signal(SIGUSR1, SIG_IGN);
  }

  BOOST_TEST((dispositionOf(SIGUSR1).sa_handler == SIG_IGN));
}

BOOST_AUTO_TEST_CASE(an_interrupt_that_is_ignored_stays_ignored, *precondition(onRealKernel)) {
  const Disposition ignored(SIGINT, SIG_IGN);
  std::vector<int> heard;
  ReactorFixture loop;
  for (int time = 0; time < 2; ++time) {
    loop->onStopSignals([&](int signal) { heard.push_back(signal); });
    BOOST_TEST((dispositionOf(SIGINT).sa_handler == SIG_IGN));
  }

  ::raise(SIGINT);
  ::raise(SIGTERM);
  loop.runUntil([&] { return !heard.empty(); }, "the signal to terminate");

  BOOST_TEST(heard == std::vector<int>{SIGTERM}, per_element());
}

// A watch that goes while its handler runs in another thread: memory errors show under a sanitizer.
BOOST_AUTO_TEST_CASE(signals_may_come_in_any_thread_while_reactors_come_and_go,
                     *precondition(onRealKernel)) {
  const Disposition ignored(SIGUSR1, SIG_IGN);
  std::atomic<bool> over{false};
  std::thread raiser([&] {
    while (!over) ::kill(::getpid(), SIGUSR1);
  });

  for (int i = 0; i < 50; ++i) {
    ReactorFixture loop;
    loop->onSignal(SIGUSR1, [](int) {});
    loop.turn();
  }
  over = true;
  raiser.join();

  BOOST_TEST((dispositionOf(SIGUSR1).sa_handler == SIG_IGN));
}

BOOST_AUTO_TEST_CASE(a_forked_child_may_watch_signals_of_its_own, *precondition(onRealKernel)) {
  ReactorFixture loop;
  int heard = 0;
  loop->onStopSignals([&](int) { ++heard; });
  ::raise(SIGTERM);  // Is the parent's, not the child's.

  const int status = statusOfChild([] {
    const auto own = makeReactor();
    own->stopOnSignals();
    own->callLater(1ms, [] { ::raise(SIGTERM); });
    own->run();
    return 7;
  });

  BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 7));
  loop.turn(3);
  BOOST_TEST(heard == 1);
}

BOOST_AUTO_TEST_CASE(a_signal_for_a_forked_child_has_its_old_effect_there_and_none_in_the_parent,
                     *precondition(onRealKernel)) {
  ReactorFixture loop;
  int heard = 0;
  loop->onSignal(SIGUSR2, [&](int) { ++heard; });

  const int status = statusOfChild([] {
    ::raise(SIGUSR2);
    return 7;
  });

  BOOST_TEST((WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR2));
  loop.turn(3);
  BOOST_TEST(heard == 0);
}

BOOST_AUTO_TEST_CASE(a_forked_child_may_not_run_the_reactor_of_its_parent,
                     *precondition(onRealKernel)) {
  ReactorFixture loop;

  const int status = statusOfChild([&] {
    try {
      loop->run();
    } catch (const std::logic_error&) {
      return 7;
    }
    return 1;
  });

  BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 7));
}

// --- The end of run() ---------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(run_returns_as_soon_as_all_is_gone, *precondition(onRealKernel)) {
  Recorder client, server;
  ReactorFixture loop;
  loop.listen([] { return nullptr; });
  loop.connect(client, server);
  TimePoint stopped{};
  loop->callSoon([&] {
    stopped = loop->now();
    loop->stop();
  });

  loop->run();

  BOOST_TEST((client.lost && server.lost));
  BOOST_TEST(std::chrono::duration<double>(loop->now() - stopped).count() < 0.05);
}

BOOST_AUTO_TEST_CASE(a_second_stop_signal_ends_the_wait_for_the_kernel,
                     *precondition(onRealKernel)) {
  bool held = true;
  ReactorFixture loop;
  new Stuck(loop.reactor(), held);
  loop->stopOnSignals();
  loop->callSoon([] { ::raise(SIGTERM); });
  loop->addSystemEventTrigger(Phase::kDuring, Event::kShutdown, [] { ::raise(SIGTERM); });
  const TimePoint begun = loop->now();

  loop->run();

  BOOST_TEST(std::chrono::duration<double>(loop->now() - begun).count() < 2.0);
  held = false;
}

BOOST_AUTO_TEST_CASE(what_takes_the_stop_signals_is_called_while_run_ends,
                     *precondition(onRealKernel)) {
  bool held = true;
  std::vector<int> heard;
  ReactorFixture loop;
  new Stuck(loop.reactor(), held);
  loop->onStopSignals([&](int signal) {
    heard.push_back(signal);
    if (heard.size() == 2) held = false;
    loop->stop();
  });
  loop->callSoon([] { ::raise(SIGINT); });
  loop->addSystemEventTrigger(Phase::kDuring, Event::kShutdown, [] { ::raise(SIGTERM); });

  loop->run();

  BOOST_TEST(heard == (std::vector<int>{SIGINT, SIGTERM}), per_element());
}

BOOST_AUTO_TEST_CASE(the_end_of_run_does_not_wait_for_the_kernel_for_ever,
                     *precondition(onSimulatedKernel)) {
  bool held = true, after = false;
  ReactorFixture loop;
  new Stuck(loop.reactor(), held);
  loop->addSystemEventTrigger(Phase::kAfter, Event::kShutdown, [&] { after = true; });
  loop->stop();
  const TimePoint begun = loop->now();

  loop->run();

  BOOST_TEST(after);
  BOOST_TEST((loop->now() - begun < 6s));
  BOOST_TEST(loop.logLines().size() == 1U);
  held = false;
}

BOOST_AUTO_TEST_SUITE_END()
