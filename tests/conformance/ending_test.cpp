// How a reactor ends, and what its callbacks must not ask of it.
#include <penstock/tests/support/address_sanitizer.h>
#include <penstock/tests/support/forked_child.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/transports/loopback.h>

#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <deque>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(ending_test)

namespace {

// Connections in memory: whenever one is lost it is opened again, until there were `most` of them.
struct Reopening {
  explicit Reopening(std::size_t most) : most_(most) {}

  void open() {
    if (connections.size() == most_) return;
    Pair& pair = connections.emplace_back();
    pair.near.onLost = [this](std::error_code) { open(); };
    loopbackPair(loop.reactor(), pair.near.makeProtocol(), pair.far.makeProtocol());
  }

  std::size_t lost() const {
    std::size_t count = 0;
    for (const Pair& pair : connections) count += pair.near.lost && pair.far.lost;
    return count;
  }

  struct Pair {
    Recorder near, far;
  };
  std::deque<Pair> connections;
  ReactorFixture loop;

 private:
  const std::size_t most_;
};

constexpr std::size_t kEndless = 10'000;
constexpr std::size_t kTooMany = 150;  // For run(); the destructor ends the rest of them.

}  // namespace

// --- What the end makes callbacks open ----------------------------------------------------------

BOOST_AUTO_TEST_CASE(run_also_ends_what_was_opened_when_it_ended_the_rest) {
  Reopening test(5);
  test.loop->callWhenRunning([&] {
    test.open();
    test.loop->stop();
  });

  test.loop->run();

  BOOST_TEST(test.connections.size() == 5U);
  BOOST_TEST(test.lost() == 5U);
  BOOST_TEST(test.loop.logLines().empty());
}

BOOST_AUTO_TEST_CASE(run_returns_although_what_it_ends_is_opened_again_and_again) {
  Reopening test(kTooMany);
  test.loop->callWhenRunning([&] {
    test.open();
    test.loop->stop();
  });

  test.loop->run();

  BOOST_TEST(test.connections.size() < kTooMany);
  BOOST_TEST_REQUIRE(test.loop.logLines().size() == 1U);
  BOOST_TEST(test.loop.logLines()[0].find("keep opening") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_reactor_can_be_destroyed_although_what_it_ends_is_opened_again_for_ever) {
  const MayLeak mayLeak;  // The last one.
  Reopening test(kEndless);
  test.open();

  test.loop.destroy();

  BOOST_TEST(test.connections.size() < kEndless);
  BOOST_TEST(test.loop.logLines().size() == 1U);
}

// --- Calls of other threads ---------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_call_that_was_accepted_from_another_thread_runs_at_the_latest_at_the_end,
                     *precondition(onRealKernel)) {
  int ran = 0;
  ReactorFixture loop;
  bool accepted = false;
  std::thread([&] { accepted = loop->callFromThread([&ran] { ++ran; }); }).join();
  BOOST_REQUIRE(accepted);

  loop.destroy();

  BOOST_TEST(ran == 1);
}

// --- Turns inside turns -------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_callback_may_neither_iterate_nor_run_the_loop_that_called_it) {
  ReactorFixture loop;
  int refused = 0;
  loop->callSoon([&] {
    try {
      loop->iterate();
    } catch (const std::logic_error&) {
      ++refused;
    }
    try {
      loop->run();
    } catch (const std::logic_error&) {
      ++refused;
    }
  });

  loop.turn();

  BOOST_TEST(refused == 2);
}

BOOST_AUTO_TEST_CASE(a_stop_inside_iterate_is_told_and_leaves_nothing_to_do_at_once) {
  ReactorFixture loop;
  BOOST_TEST(!loop->stopping());
  loop->callSoon([&] { loop->stop(); });
  const TimePoint before = loop->now();

  loop->iterate(1h);

  BOOST_TEST(loop->stopping());
  BOOST_TEST(loop->now() - before < 1h);
  BOOST_TEST(!loop->timeUntilDue());
}

BOOST_AUTO_TEST_CASE(stopping_is_over_when_run_has_returned) {
  ReactorFixture loop;
  std::optional<bool> during;
  loop->callSoon([&] { loop->stop(); });
  loop->addSystemEventTrigger(Reactor::Phase::kDuring, Reactor::Event::kShutdown,
                              [&] { during = loop->stopping(); });

  loop->run();

  BOOST_TEST(during.value());
  BOOST_TEST(!loop->stopping());
}

// --- Signals ------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_a_stop_signal_calls_may_be_replaced_from_inside_itself,
                     *precondition(onRealKernel)) {
  std::vector<int> first, second;
  ReactorFixture loop;
  loop->onStopSignals([&, loop = &loop](int signal) {
    (*loop)->onStopSignals([&second](int again) { second.push_back(again); });
    first.push_back(signal);  // This callback must still be there.
  });

  ::raise(SIGINT);
  ::raise(SIGTERM);
  loop.runUntil([&] { return !second.empty(); }, "the second signal");

  BOOST_TEST(first == std::vector<int>{SIGINT});
  BOOST_TEST(second == std::vector<int>{SIGTERM});
}

BOOST_AUTO_TEST_CASE(a_signal_that_one_reactor_did_not_deliver_is_none_of_the_next_ones,
                     *precondition(onRealKernel)) {
  {
    ReactorFixture loop;
    loop->stopOnSignals();
    ::raise(SIGTERM);
  }
  ReactorFixture loop;
  int signals = 0;
  loop->onStopSignals([&](int) { ++signals; });

  loop.turn(3);

  BOOST_TEST(signals == 0);
}

// --- Forked children ----------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_forked_child_that_destroys_its_copy_ends_no_connection_of_the_parent,
                     *precondition(onRealKernel)) {
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server);

  ForkedChild child([&] {
    loop.destroy();
    return client.lost || server.lost ? 1 : 0;
  });
  BOOST_TEST(child.end() == "exit 0");
  client.transport().write(asBytes("still here"));
  loop.runUntil([&] { return server.received == "still here"; }, "the bytes");

  BOOST_TEST(!server.lost);
}

// --- What is not complete -----------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_the_end_of_a_reactor_cuts_short_does_not_look_complete,
                     *precondition(onRealKernel)) {
  Recorder server;
  ReactorFixture loop;
  const OwnedFd peer = loop.connectRawPeer(server, SocketFamily::kTcp, useSmallBuffers);
  server.transport().write(asBytes(std::string(8 << 20, 'x')));
  loop.settle();

  loop.destroy();

  std::array<char, 65536> some;
  ssize_t got;
  while ((got = ::recv(peer.get(), some.data(), some.size(), 0)) > 0) {
  }
  BOOST_TEST(got == -1);
  BOOST_TEST(errno == ECONNRESET);
}

BOOST_AUTO_TEST_SUITE_END()
