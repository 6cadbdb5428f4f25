// The end of everything at once, by run(), disconnectAll() or the reactor's own end; and that
// nothing is left of what has ended while the reactor lives on.
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/once_asleep.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/scripted_producer.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(disconnecting_test)

namespace {

[[noreturn]] void fail() { throw std::runtime_error("thrown by the test"); }

enum class End { kRun, kDisconnectAll, kDestructor };

void endAll(ReactorFixture& loop, End how) {
  switch (how) {
    case End::kRun:
      loop->stop();
      return loop->run();
    case End::kDisconnectAll:
      return loop->disconnectAll();
    case End::kDestructor:
      return loop.destroy();
  }
}

// Calls `test` for each way in which everything can end.
template <class Test>
void forEachEnd(Test test) {
  for (const End how : {End::kRun, End::kDisconnectAll, End::kDestructor}) {
    BOOST_TEST_CONTEXT("end " << static_cast<int>(how)) { test(how); }
  }
}

struct Ends {
  Recorder client, server;
};

PendingConnect& connectSomewhere(ReactorFixture& loop, Listener& listener, ConnectHandler handler) {
  const SocketAddress to = addressOf(listener.descriptor());
  return loop->openConnect(makeSocket(loop.reactor(), SocketFamily::kTcp), to.data(), to.length(),
                           std::move(handler));
}

}  // namespace

// --- Everything at once -------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_exception_at_the_end_keeps_nobody_else_from_hearing_of_it) {
  forEachEnd([](End how) {
    std::array<Ends, 3> pairs;
    ScriptedProducer failing, other;
    int told = 0;
    ReactorFixture loop;
    for (Ends& pair : pairs) loop.connect(pair.client, pair.server);
    Listener& listener = loop.listen([] { return nullptr; });
    pairs[0].client.onLost = [](std::error_code) { fail(); };
    failing.onStop = fail;
    pairs[0].server.transport().registerProducer(failing, Production::kStreaming);
    pairs[2].client.transport().registerProducer(other, Production::kStreaming);
    connectSomewhere(loop, listener, [&](std::error_code, OwnedFd) {
      ++told;
      fail();
    });
    connectSomewhere(loop, listener, [&](std::error_code, OwnedFd) { ++told; });

    endAll(loop, how);

    for (const Ends& pair : pairs) {
      BOOST_TEST(endedOnce(pair.client));
      BOOST_TEST(endedOnce(pair.server));
    }
    BOOST_TEST(failing.count("stop") == 1);
    BOOST_TEST(other.count("stop") == 1);
    BOOST_TEST(told == 2);
    BOOST_TEST(loop.logLines().size() == 3U);
  });
}

BOOST_AUTO_TEST_CASE(nobody_accepts_any_more_once_all_was_disconnected) {
  for (const End how : {End::kRun, End::kDisconnectAll}) {
    std::error_code refusal;
    ReactorFixture loop;
    Listener& listener = loop.listen([] { return nullptr; });
    const SocketAddress to = addressOf(listener.descriptor());

    endAll(loop, how);
    loop.settle();
    loop->openConnect(makeSocket(loop.reactor(), SocketFamily::kTcp), to.data(), to.length(),
                      [&](std::error_code why, OwnedFd) { refusal = why; });
    loop.runUntil([&] { return !!refusal; }, "the refusal");

    BOOST_TEST(refusal == std::errc::connection_refused);
  }
}

BOOST_AUTO_TEST_CASE(new_connections_work_once_all_was_disconnected) {
  for (const End how : {End::kRun, End::kDisconnectAll}) {
    Ends before, after;
    ReactorFixture loop;
    loop.connect(before.client, before.server);

    endAll(loop, how);
    loop.connect(after.client, after.server);
    after.client.transport().write(asBytes("again"));
    loop.runUntil([&] { return after.server.received == "again"; }, "the bytes");

    BOOST_TEST(endedOnce(before.client));
    BOOST_TEST(endedOnce(before.server));
  }
}

BOOST_AUTO_TEST_CASE(another_thread_still_wakes_the_loop_once_all_was_disconnected,
                     *precondition(onRealKernel)) {
  for (const End how : {End::kRun, End::kDisconnectAll}) {
    Ends pair;
    bool taken = false;
    ReactorFixture loop;
    loop.connect(pair.client, pair.server);
    endAll(loop, how);

    OnceAsleep other([&] { taken = loop->callFromThread([&] { loop->stop(); }); });
    loop->run();
    other.join();

    BOOST_TEST(taken);
  }
}

BOOST_AUTO_TEST_CASE(everything_may_be_disconnected_by_a_connection_that_ends) {
  enum class From { kConnectionLost, kStopProducing };
  for (const From from : {From::kConnectionLost, From::kStopProducing}) {
    std::array<Ends, 3> pairs;
    ScriptedProducer producer;
    int told = 0;
    ReactorFixture loop;
    for (Ends& pair : pairs) loop.connect(pair.client, pair.server);
    const auto disconnectAll = [&] {
      ++told;
      loop->disconnectAll();
    };
    if (from == From::kConnectionLost) {
      pairs[0].client.onLost = [&](std::error_code) { disconnectAll(); };
    } else {
      producer.onStop = disconnectAll;
      pairs[0].client.transport().registerProducer(producer, Production::kStreaming);
    }

    pairs[0].server.transport().abortConnection();
    loop.runUntil([&] { return told > 0; }, "the end of the first");

    for (const Ends& pair : pairs) BOOST_TEST((endedOnce(pair.client) && endedOnce(pair.server)));
    BOOST_TEST(told == 1);
  }
}

BOOST_AUTO_TEST_CASE(each_of_many_may_disconnect_everything_when_it_ends) {
  forEachEnd([](End how) {
    std::array<Ends, 20> pairs;
    ReactorFixture loop;
    const auto disconnectAll = [&](std::error_code) { loop->disconnectAll(); };
    for (Ends& pair : pairs) {
      loop.connect(pair.client, pair.server);
      pair.client.onLost = pair.server.onLost = disconnectAll;
    }

    endAll(loop, how);

    for (const Ends& pair : pairs) BOOST_TEST((endedOnce(pair.client) && endedOnce(pair.server)));
  });
}

// --- One after the other ------------------------------------------------------------------------

namespace {

struct Way {
  const char* name;
  std::function<void(Ends&)> end;
};

const std::vector<Way>& ways() {
  static const std::string much(1 << 20, 'm');
  static const std::vector<Way> all{
      {"a close", [](Ends& pair) { pair.client.transport().loseConnection(); }},
      {"a close with much to write",
       [](Ends& pair) {
         pair.client.transport().write(asBytes(much));
         pair.client.transport().loseConnection();
       }},
      {"closes of both",
       [](Ends& pair) {
         pair.client.transport().loseConnection();
         pair.server.transport().loseConnection();
       }},
      {"a half-close and a close",
       [](Ends& pair) {
         pair.server.onReadLost = [&] { pair.server.transport().loseConnection(); };
         pair.client.onReadLost = [&] { pair.client.transport().loseConnection(); };
         pair.client.transport().loseWriteConnection();
       }},
      {"an abort", [](Ends& pair) { pair.client.transport().abortConnection(); }},
      {"an abort with much to write, to a reader that is paused",
       [](Ends& pair) {
         pair.server.transport().pauseProducing();
         pair.client.transport().write(asBytes(much));
         pair.client.transport().abortConnection();
         pair.server.transport().resumeProducing();
       }},
      {"aborts of both",
       [](Ends& pair) {
         pair.client.transport().abortConnection();
         pair.server.transport().abortConnection();
       }},
  };
  return all;
}

// Nothing is open that was not before, and nothing is due.
void waitForNothingLeft(ReactorFixture& loop, std::size_t descriptorsBefore) {
  loop.turn();
  loop.runUntil([&] { return openDescriptors() == descriptorsBefore && !loop->timeUntilDue(); },
                "the end of all that was open or due");
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_connection_that_ended_leaves_nothing_while_the_reactor_lives) {
  for (const SocketFamily family : {SocketFamily::kTcp, SocketFamily::kUnix}) {
    for (const Way& way : ways()) {
      BOOST_TEST_CONTEXT(way.name << " of family " << static_cast<int>(family)) {
        Ends pair;
        pair.client.halfCloseable = pair.server.halfCloseable = true;
        ReactorFixture loop;
        loop.settle();
        const std::size_t before = openDescriptors();
        loop.connect(pair.client, pair.server, family);
        BOOST_TEST(openDescriptors() >= before + 2);

        way.end(pair);
        loop.runUntil(
            [&] {
              if (pair.client.lost && pair.server.connected()) {
                pair.server.transport().loseConnection();
              }
              return pair.client.lost && pair.server.lost;
            },
            "both ends");

        waitForNothingLeft(loop, before);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_connect_that_was_cancelled_leaves_nothing_while_the_reactor_lives) {
  for (const int turns : {0, 1}) {
    int told = 0;
    ReactorFixture loop;
    Listener& listener = loop.listen([] { return nullptr; });
    loop.settle();
    const std::size_t before = openDescriptors();

    PendingConnect& pending =
        connectSomewhere(loop, listener, [&](std::error_code, OwnedFd) { ++told; });
    loop.turn(turns);
    const int toldBefore = told;
    if (told == 0) pending.cancel();
    waitForNothingLeft(loop, before);

    BOOST_TEST(told == toldBefore);
  }
}

BOOST_AUTO_TEST_CASE(a_stopped_listener_leaves_nothing_while_the_reactor_lives) {
  for (const int turns : {0, 1}) {
    Recorder waiting;
    ReactorFixture loop;
    loop.settle();
    const std::size_t before = openDescriptors();

    Listener& listener = loop.listen([] { return nullptr; });
    loop.connectTo(addressOf(listener.descriptor()), waiting, SocketFamily::kTcp);
    loop.runUntil([&] { return waiting.made(); }, "the connect");
    loop.turn(turns);
    listener.stopListening();
    loop.runUntil([&] { return waiting.lost; }, "the end of who waited");

    waitForNothingLeft(loop, before);
  }
}

BOOST_AUTO_TEST_CASE(what_ended_in_a_call_is_gone_before_the_loop_sleeps,
                     *precondition(onRealKernel)) {
  bool taken = false;
  std::size_t asleep = 0;
  ReactorFixture loop;
  loop.settle();
  const std::size_t before = openDescriptors();
  Listener& listener = loop.listen([] { return nullptr; });
  loop.settle();
  loop->callSoon([&] { listener.stopListening(); });

  OnceAsleep other([&] {
    asleep = openDescriptors();
    taken = loop->callFromThread([&] { loop->stop(); });
  });
  loop->run();
  other.join();

  BOOST_TEST(taken);
  BOOST_TEST(asleep == before);
}

BOOST_AUTO_TEST_SUITE_END()
