// An exception from any callback costs that connection, one line in the log, and nothing else.
#define BOOST_TEST_MODULE exceptions
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/scripted_producer.h>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

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
    loop.connect(client, server);
  }

  // The server ends with the reason that says so, once; the rest is as it was.
  void checkOnlyThisConnectionFailed() {
    loop.runUntil([&] { return server.lost && client.lost; }, "both ends");
    loop.settle();
    BOOST_TEST((server.why == ConnectionError::kProtocolFailed));
    BOOST_TEST(server.events.back().substr(0, 4) == "lost");
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

  BOOST_TEST(after == "held");
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

  BOOST_TEST((test.server.why == ConnectionError::kAborted));
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

  BOOST_TEST((test.server.why == ConnectionError::kProtocolFailed));
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

  test.loop->openConnect(makeSocket(test.loop.reactor(), SocketFamily::kTcp), to.get(), to.length,
                         [&](std::error_code, OwnedFd) {
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
  std::vector<std::string> events;
  const auto add = [&](Reactor::Event event, const char* name) {
    loop->addSystemEventTrigger(Reactor::Phase::kDuring, event, fail);
    loop->addSystemEventTrigger(Reactor::Phase::kDuring, event,
                                [&events, name] { events.emplace_back(name); });
  };
  add(Reactor::Event::kStartup, "startup");
  add(Reactor::Event::kShutdown, "shutdown");
  loop->callSoon([&] { loop->stop(); });

  loop->run();

  const std::vector<std::string> expected{"startup", "shutdown"};
  BOOST_TEST(events == expected, boost::test_tools::per_element());
  BOOST_TEST(loop.logLines().size() == 2U);
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
