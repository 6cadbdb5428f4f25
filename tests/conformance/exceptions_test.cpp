// An exception from any callback costs that connection, one line in the log, and nothing else.
#include <penstock/runtime/errors.h>
#include <penstock/runtime/timer.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/scripted_producer.h>

#include <signal.h>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(exceptions_test)

namespace {

[[noreturn]] void fail() { throw std::runtime_error("thrown by the test"); }

// One connection whose server throws somewhere, and another that must not notice.
struct Scene {
  Recorder client, server, bystander, bystanderPeer;
  ScriptedProducer producer;
  ReactorFixture loop;

  Scene() { loop.connect(bystander, bystanderPeer); }

  void connect() {
    client.halfCloseable = server.halfCloseable = true;
    loop.connect(client, server, SocketFamily::kTcp, useSmallBuffers);
  }

  // The server ends with the reason that says so, once; the rest is as it was.
  void checkOnlyThisConnectionFailed() {
    loop.runUntil([&] { return server.lost && client.lost; }, "both ends");
    loop.settle();
    BOOST_TEST(server.why == ConnectionError::kProtocolFailed);
    BOOST_TEST(server.events.back().substr(0, 4) == "lost");
    BOOST_TEST(std::ranges::count_if(server.events, [](const std::string& event) {
                 return event.substr(0, 4) == "lost";
               }) == 1);
    checkLogAndBystander();
  }

  void checkLogAndBystander() {
    BOOST_TEST(loop.logLines().size() == 1U);
    if (!loop.logLines().empty()) {
      BOOST_TEST(loop.logLines().front().find("thrown by the test") != std::string::npos);
    }
    checkBystander();
  }

  void checkBystander() {
    bystander.transport().write(asBytes("unharmed"));
    loop.runUntil([&] { return bystanderPeer.received == "unharmed"; }, "the bystander's bytes");
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(an_exception_from_connection_made) {
  Scene test;
  test.server.onMade = [](Transport&) { fail(); };

  test.connect();
  test.client.onReadLost = [&] { test.client.transport().loseConnection(); };
  if (test.client.heard("readLost") && test.client.connected()) {
    test.client.transport().loseConnection();
  }

  test.checkOnlyThisConnectionFailed();
}

BOOST_AUTO_TEST_CASE(an_exception_from_data_received) {
  Scene test;
  test.server.onData = [](Bytes) { fail(); };
  test.client.onReadLost = [&] { test.client.transport().loseConnection(); };
  test.connect();

  test.client.transport().write(asBytes("provocation"));

  test.checkOnlyThisConnectionFailed();
}

BOOST_AUTO_TEST_CASE(an_exception_from_data_that_was_held_back) {
  Scene test;
  test.server.onData = [](Bytes) { fail(); };
  test.client.onReadLost = [&] { test.client.transport().loseConnection(); };
  test.connect();
  test.server.transport().pauseProducing();
  test.client.transport().write(asBytes("provocation"));
  test.loop.settle();

  test.server.transport().resumeProducing();

  test.checkOnlyThisConnectionFailed();
}

BOOST_AUTO_TEST_CASE(bytes_that_were_held_back_outlive_the_end_of_their_connection) {
  Scene test;
  std::string after;
  test.connect();
  test.server.transport().pauseProducing();
  test.client.transport().write(asBytes("held"));
  test.loop.settle();
  test.server.transport().loseWriteConnection();
  test.loop.runUntil([&] { return test.server.heard("writeLost"); }, "the half-close");
  test.server.onData = [&](Bytes bytes) {
    test.server.transport().loseConnection();  // Over inside this call.
    after = asText(bytes);
  };

  test.server.transport().resumeProducing();
  test.loop.runUntil([&] { return test.server.lost; }, "the end");

  BOOST_TEST(!after.empty());  // A simulated kernel may have given a part of it only.
  BOOST_TEST(std::string("held").starts_with(after));
  BOOST_TEST(test.loop.logLines().empty());
}

BOOST_AUTO_TEST_CASE(an_exception_from_read_connection_lost) {
  Scene test;
  test.server.onReadLost = fail;
  test.client.onReadLost = [&] { test.client.transport().loseConnection(); };
  test.connect();

  test.client.transport().loseWriteConnection();

  test.checkOnlyThisConnectionFailed();
}

BOOST_AUTO_TEST_CASE(an_exception_from_write_connection_lost) {
  Scene test;
  test.server.onWriteLost = fail;
  test.client.onReadLost = [&] { test.client.transport().loseConnection(); };
  test.connect();

  test.server.transport().loseWriteConnection();

  test.checkOnlyThisConnectionFailed();
}

BOOST_AUTO_TEST_CASE(an_exception_from_resume_producing) {
  Scene test;
  test.client.onReadLost = [&] { test.client.transport().loseConnection(); };
  test.connect();
  test.producer.onResume = fail;
  test.server.transport().registerProducer(test.producer, Production::kStreaming);

  test.server.transport().write(asBytes(std::string(1 << 20, 'x')));
  test.checkOnlyThisConnectionFailed();

  const std::vector<std::string> expected{"pause", "resume", "stop"};
  BOOST_TEST(test.producer.events == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_exception_from_resume_producing_at_the_low_water_mark) {
  constexpr std::size_t kMark = kMoreThanSmallBuffers;
  Scene test;
  std::size_t buffered = 0;
  test.client.onReadLost = [&] { test.client.transport().loseConnection(); };
  test.connect();
  test.producer.onResume = [&] {
    buffered = test.server.transport().bufferedBytes();
    fail();
  };
  test.server.transport().setHighWaterMark(kMark);
  test.server.transport().setLowWaterMark(kMark - 1);
  test.server.transport().registerProducer(test.producer, Production::kStreaming);

  test.server.transport().write(asBytes(std::string(kMark + 1, 'x')));
  test.checkOnlyThisConnectionFailed();

  BOOST_TEST(buffered > 0U);
}

BOOST_AUTO_TEST_CASE(an_exception_from_a_pull_producer_at_a_drain) {
  Scene test;
  test.client.onReadLost = [&] { test.client.transport().loseConnection(); };
  test.connect();
  test.producer.onResume = [&] {
    if (test.producer.count("resume") == 2) fail();
    test.server.transport().write(asBytes("a portion"));
  };

  test.server.transport().registerProducer(test.producer, Production::kPull);
  test.checkOnlyThisConnectionFailed();

  const std::vector<std::string> expected{"resume", "resume", "stop"};
  BOOST_TEST(test.producer.events == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(an_exception_from_a_pull_producer_in_its_registration_reaches_the_caller) {
  Scene test;
  test.connect();
  test.producer.onResume = fail;

  BOOST_CHECK_THROW(test.server.transport().registerProducer(test.producer, Production::kPull),
                    std::runtime_error);

  BOOST_TEST(test.server.transport().producer() == &test.producer);  // It may be asked again.
  test.server.transport().unregisterProducer();
  test.server.transport().write(asBytes("alive"));
  test.loop.runUntil([&] { return test.client.received == "alive"; }, "the bytes");
  BOOST_TEST(test.loop.logLines().empty());
}

BOOST_AUTO_TEST_CASE(an_exception_from_pause_producing_inside_data_received) {
  Scene test;
  test.client.onReadLost = [&] { test.client.transport().loseConnection(); };
  test.connect();
  test.producer.onPause = fail;
  test.server.transport().registerProducer(test.producer, Production::kStreaming);
  test.server.onData = [&](Bytes) {
    test.server.transport().write(asBytes(std::string(1 << 20, 'x')));
  };

  test.client.transport().write(asBytes("provocation"));

  test.checkOnlyThisConnectionFailed();
}

BOOST_AUTO_TEST_CASE(an_exception_from_stop_producing_does_not_keep_the_protocol_from_hearing) {
  Scene test;
  test.client.onReadLost = [&] { test.client.transport().loseConnection(); };
  test.connect();
  test.producer.onStop = fail;
  test.server.transport().registerProducer(test.producer, Production::kStreaming);

  test.server.transport().abortConnection();
  test.loop.runUntil([&] { return test.server.lost && test.client.lost; }, "both ends");

  BOOST_TEST(test.server.why == ConnectionError::kAborted);
  BOOST_TEST(test.producer.count("stop") == 1);
  test.checkLogAndBystander();
}

BOOST_AUTO_TEST_CASE(an_exception_from_connection_lost) {
  Scene test;
  test.connect();
  test.server.onLost = [](std::error_code) { fail(); };

  test.server.transport().abortConnection();
  test.loop.runUntil([&] { return test.server.lost && test.client.lost; }, "both ends");
  test.loop.settle();

  BOOST_TEST(test.server.events.size() == 2U);
  test.checkLogAndBystander();
}

BOOST_AUTO_TEST_CASE(something_thrown_that_is_no_exception) {
  Scene test;
  test.client.onReadLost = [&] { test.client.transport().loseConnection(); };
  test.server.onData = [](Bytes) { throw 42; };
  test.connect();

  test.client.transport().write(asBytes("provocation"));
  test.loop.runUntil([&] { return test.server.lost && test.client.lost; }, "both ends");

  BOOST_TEST(test.server.why == ConnectionError::kProtocolFailed);
  BOOST_TEST(test.loop.logLines().size() == 1U);
  test.checkBystander();
}

// --- Callbacks that belong to no connection -----------------------------------------------------

BOOST_AUTO_TEST_CASE(an_exception_from_a_factory_refuses_that_connection_only) {
  Scene test;
  Recorder refused, accepted;
  int calls = 0;
  Listener& listener = test.loop.listen([&]() -> std::unique_ptr<Protocol> {
    if (++calls == 1) fail();
    return test.server.makeProtocol();
  });
  const SocketAddress to = addressOf(listener.descriptor());

  test.loop.connectTo(to, refused, SocketFamily::kTcp);
  test.loop.runUntil([&] { return refused.lost; }, "the refusal");
  test.loop.connectTo(to, accepted, SocketFamily::kTcp);
  test.loop.runUntil([&] { return test.server.made(); }, "the next one");

  test.checkLogAndBystander();
  test.loop.destroy();
}

BOOST_AUTO_TEST_CASE(an_exception_from_a_connect_handler) {
  Scene test;
  int called = 0;
  Listener& listener = test.loop.listen([] { return nullptr; });
  const SocketAddress to = addressOf(listener.descriptor());

  test.loop->openConnect(makeSocket(test.loop.reactor(), SocketFamily::kTcp), to.data(),
                         to.length(), [&](std::error_code, OwnedFd) {
                           ++called;
                           fail();
                         });
  test.loop.runUntil([&] { return called > 0; }, "the handler");
  test.loop.settle();

  BOOST_TEST(called == 1);
  test.checkLogAndBystander();
}

BOOST_AUTO_TEST_CASE(an_exception_from_a_timed_call) {
  Scene test;
  bool next = false;
  test.loop->callLater(Duration::zero(), fail);
  test.loop->callLater(std::chrono::milliseconds(1), [&] { next = true; });

  test.loop.runUntil([&] { return next; }, "the next timed call");

  test.checkLogAndBystander();
}

BOOST_AUTO_TEST_CASE(an_exception_from_an_embedded_timer_which_can_be_armed_again) {
  Scene test;
  int fired = 0;
  Timer timer(test.loop.reactor(), [&] {
    if (++fired == 1) fail();
  });

  timer.arm(std::chrono::milliseconds(1));
  test.loop.runUntil([&] { return fired == 1; }, "the timer");
  timer.arm(std::chrono::milliseconds(1));
  test.loop.runUntil([&] { return fired == 2; }, "the timer again");

  test.checkLogAndBystander();
}

BOOST_AUTO_TEST_CASE(an_exception_from_a_call) {
  Scene test;
  bool next = false;
  test.loop->callSoon(fail);
  test.loop->callSoon([&] { next = true; });

  test.loop.runUntil([&] { return next; }, "the next call");

  test.checkLogAndBystander();
}

BOOST_AUTO_TEST_CASE(an_exception_from_a_call_of_another_thread) {
  Scene test;
  bool next = false;
  BOOST_TEST(test.loop->callFromThread(fail));
  BOOST_TEST(test.loop->callFromThread([&] { next = true; }));

  test.loop.runUntil([&] { return next; }, "the next call");

  test.checkLogAndBystander();
}

BOOST_AUTO_TEST_CASE(an_exception_from_a_trigger_does_not_stop_the_others) {
  ReactorFixture loop;
  std::vector<std::string> events, expected;
  for (const auto event : {Reactor::Event::kStartup, Reactor::Event::kShutdown}) {
    for (const auto phase :
         {Reactor::Phase::kBefore, Reactor::Phase::kDuring, Reactor::Phase::kAfter}) {
      const std::string name =
          std::to_string(static_cast<int>(event)) + "." + std::to_string(static_cast<int>(phase));
      expected.push_back(name);
      loop->addSystemEventTrigger(phase, event, fail);
      loop->addSystemEventTrigger(phase, event, [&events, name] { events.push_back(name); });
    }
  }
  loop->callSoon([&] { loop->stop(); });

  loop->run();

  BOOST_TEST(events == expected, boost::test_tools::per_element());
  BOOST_TEST(loop.logLines().size() == 6U);
}

BOOST_AUTO_TEST_CASE(an_exception_from_a_call_when_running) {
  ReactorFixture loop;
  bool next = false;
  loop->callWhenRunning(fail);
  loop->callWhenRunning([&] {
    loop->callWhenRunning(fail);
    next = true;
    loop->stop();
  });

  loop->run();

  BOOST_TEST(next);
  BOOST_TEST(loop.logLines().size() == 2U);
}

BOOST_AUTO_TEST_CASE(an_exception_from_a_signal_callback, *precondition(onRealKernel)) {
  ReactorFixture loop;
  int signals = 0;
  loop->onStopSignals([&](int) {
    if (++signals == 2) return loop->stop();
    loop->callSoon([] { ::raise(SIGTERM); });
    fail();
  });
  loop->callSoon([] { ::raise(SIGTERM); });

  loop->run();

  BOOST_TEST(signals == 2);
  BOOST_TEST(loop.logLines().size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_exception_from_the_log_itself_is_swallowed) {
  ReactorOptions options;
  options.log = [](std::string_view) { fail(); };
  bool next = false;
  ReactorFixture loop(std::move(options));
  loop->callSoon(fail);
  loop->callSoon([&] { next = true; });

  loop.runUntil([&] { return next; }, "the next call");

  BOOST_TEST(next);
}

// --- The log ------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_an_exception_says_can_not_end_a_line_or_flood_the_log) {
  ReactorFixture loop;
  const auto logged = [&](const std::string& what) {
    const std::size_t before = loop.logLines().size();
    loop->callSoon([&] { throw std::runtime_error(what); });
    loop.turn();
    BOOST_REQUIRE(loop.logLines().size() == before + 1);
    return loop.logLines().back();
  };

  BOOST_TEST(logged("one\ntwo\x1b[2J") == "penstock: exception from a callback: one\\ntwo\\x1b[2J");
  BOOST_TEST(logged(std::string(100'000, 'x')).size() < 2200U);
}

BOOST_AUTO_TEST_CASE(a_line_about_a_connection_or_listener_has_a_level_and_names_it) {
  Recorder client, server, refused;
  std::vector<std::string> lines;
  const Transport* connection = nullptr;
  const Listener* listener = nullptr;
  ReactorOptions options;
  options.log = [&](const LogRecord& record) {
    BOOST_CHECK(record.level == LogLevel::kWarning);
    lines.emplace_back(record.text);
    connection = record.connection;
    listener = record.listener;
  };
  ReactorFixture loop(std::move(options));
  loop.connect(client, server);
  const std::string descriptor =
      "descriptor " + std::to_string(server.transport().descriptor()) + ", peer ";
  server.onData = [](Bytes) { fail(); };

  client.transport().write(asBytes("x"));
  loop.runUntil([&] { return server.lost; }, "the loss");
  BOOST_REQUIRE(lines.size() == 1U);
  BOOST_TEST(lines[0].find(descriptor) != std::string::npos, lines[0]);
  BOOST_TEST((connection != nullptr && listener == nullptr));

  Listener& failing = loop.listen([]() -> std::unique_ptr<Protocol> { fail(); });
  loop.connectTo(addressOf(failing.descriptor()), refused, SocketFamily::kTcp);
  loop.runUntil([&] { return lines.size() == 2; }, "the factory");
  BOOST_TEST(lines[1].find("listener on descriptor") != std::string::npos, lines[1]);
  BOOST_TEST((connection == nullptr && listener == &failing));
}

BOOST_AUTO_TEST_SUITE_END()
