// How connecting ends otherwise: stopped, refused by its own side, or with the reactor.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/transports/connecting.h>

#include <sys/resource.h>

#include <boost/test/unit_test.hpp>

#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(connector_end_test)

BOOST_FIXTURE_TEST_CASE(stopping_is_told_in_the_next_turn_and_nothing_else_is, Connecting) {
  Connector& connector = connectTo(listen());

  connector.stopConnecting();
  BOOST_TEST(connector.state() == State::kDisconnected);
  BOOST_TEST(failures == 0);
  BOOST_CHECK_THROW(connector.stopConnecting(), std::logic_error);
  waitForOutcome();
  loop.settle();

  BOOST_TEST(*failed == ConnectionError::kStopped);
  BOOST_TEST(failures == 1);
  BOOST_TEST(!client.made());
}

BOOST_FIXTURE_TEST_CASE(stopping_ends_a_look_up, Connecting) {
  Connector& connector = connectTo({Address::loopback(0)});

  connector.disconnect();
  waitForOutcome();
  loop.settle();

  BOOST_TEST(*failed == ConnectionError::kStopped);
  BOOST_TEST(failures == 1);
}

BOOST_FIXTURE_TEST_CASE(stopping_a_connect_that_nobody_answers_works, Connecting,
                        *precondition(onRealKernel)) {
  const Unresponsive unresponsive(loop);
  Connector& connector = connectTo(unresponsive.address());
  loop.settle();
  BOOST_TEST(connector.state() == State::kConnecting);

  connector.stopConnecting();
  waitForOutcome();

  BOOST_TEST(*failed == ConnectionError::kStopped);
}

BOOST_AUTO_TEST_CASE(a_look_up_that_never_answers_times_out) {
  std::promise<void> gate;  // Outlives the look-up, which ends with the resolver.
  std::shared_future<void> opened = gate.get_future().share();
  Connecting test;
  test.resolver = std::make_unique<Resolver>(
      [opened](const std::string&) {
        opened.wait();
        return Resolution{{}, {Address::loopback(0)}};
      },
      1);
  ConnectOptions options;
  options.timeout = 20ms;
  options.resolver = test.resolver.get();

  const TimePoint before = test.loop->now();
  connectTcp(test.loop.reactor(), "nowhere", 0, test.making(), test.failing(), options);
  test.waitForOutcome();
  const Duration waited = test.loop->now() - before;
  gate.set_value();
  test.resolver.reset();
  test.loop.settle();

  BOOST_TEST(*test.failed == ConnectionError::kTimedOut);
  BOOST_TEST(test.failures == 1);
  BOOST_TEST(waited >= 20ms);
}

BOOST_FIXTURE_TEST_CASE(no_timer_is_left_of_a_connect_that_is_over, Connecting) {
  const ConnectOptions anHour{.timeout = 1h};
  const auto waitForNothingDue = [this] {
    loop.runUntil([this] { return !loop->timeUntilDue(); }, "the last timer");
  };

  connectTo(refusing(), anHour);
  waitForOutcome();
  waitForNothingDue();
  failed.reset();
  connectTo({refusing(), refusing()}, anHour);
  waitForOutcome();
  waitForNothingDue();
  failed.reset();
  connectTo(listen(), anHour).stopConnecting();
  waitForOutcome();
  waitForNothingDue();
  connectTo(listen(), anHour);
  loop.runUntil([this] { return client.made() && server.made(); }, "the connection");

  waitForNothingDue();
}

BOOST_FIXTURE_TEST_CASE(a_failure_handler_may_stop_the_reactor, Connecting) {
  connectTcp(loop.reactor(), refusing(), making(), [this](std::error_code why) {
    failed = why;
    loop->stop();
  });

  loop->run();

  BOOST_TEST(*failed == std::errc::connection_refused);
}

BOOST_FIXTURE_TEST_CASE(connectionMade_may_stop_the_reactor, Connecting) {
  client.onMade = [this](Transport&) { loop->stop(); };
  connectTo(listen());

  loop->run();

  BOOST_TEST(client.lost);
  BOOST_TEST(failures == 0);
}

BOOST_FIXTURE_TEST_CASE(connectionLost_may_connect_again_and_is_refused_there, Connecting) {
  const Address nobody = refusing();
  client.onLost = [&](std::error_code) { connectTo(nobody); };
  server.onMade = [](Transport& transport) { transport.loseConnection(); };

  connectTo(listen());
  loop.runUntil([this] { return !!failed; }, "the refusal");

  BOOST_TEST(client.lost);
  BOOST_TEST(*failed == std::errc::connection_refused);
}

BOOST_FIXTURE_TEST_CASE(an_exception_in_connectionMade_ends_the_connection, Connecting) {
  client.onMade = [](Transport&) { throw std::runtime_error("on purpose"); };

  connectTo(listen());
  loop.runUntil([&] { return client.lost && server.lost; }, "both ends");

  BOOST_TEST(client.why == ConnectionError::kProtocolFailed);
  BOOST_TEST(failures == 0);
  BOOST_TEST(loop.logLines().size() == 1);
}

BOOST_FIXTURE_TEST_CASE(disconnecting_from_inside_connectionMade_ends_the_connection, Connecting) {
  Connector* connector = nullptr;
  client.onMade = [&](Transport&) { connector->disconnect(); };

  connector = &connectTo(listen());
  loop.runUntil([&] { return client.lost; }, "the end");

  BOOST_TEST(client.events == (std::vector<std::string>{"made", "lost"}));
  BOOST_TEST(failures == 0);
}

BOOST_FIXTURE_TEST_CASE(a_factory_that_makes_nothing_refuses_the_connection, Connecting) {
  connectTcp(
      loop.reactor(), listen(), [] { return nullptr; }, failing());
  waitForOutcome();
  loop.runUntil([&] { return server.lost; }, "the server's end");

  BOOST_TEST(*failed == ConnectionError::kStopped);
  BOOST_TEST(server.why == std::error_code());
}

BOOST_FIXTURE_TEST_CASE(a_factory_that_throws_fails_the_connect_and_is_logged, Connecting) {
  connectTcp(
      loop.reactor(), listen(),
      []() -> std::unique_ptr<Protocol> { throw std::runtime_error("on purpose"); }, failing());
  waitForOutcome();

  BOOST_TEST(*failed == ConnectionError::kProtocolFailed);
  BOOST_TEST(loop.logLines().size() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_failure_handler_that_throws_is_logged, Connecting) {
  bool called = false;
  connectTcp(loop.reactor(), refusing(), making(), [&](std::error_code) {
    called = true;
    throw std::runtime_error("on purpose");
  });

  loop.runUntil([&] { return called; }, "the failure");

  BOOST_TEST(loop.logLines().size() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_failure_handler_may_connect_again, Connecting) {
  const Address good = listen();
  connectTcp(loop.reactor(), refusing(), making(), [&](std::error_code) { connectTo(good); });

  waitForOutcome();

  BOOST_TEST(client.made());
}

BOOST_FIXTURE_TEST_CASE(the_end_of_the_reactor_ends_what_is_connecting, Connecting) {
  connectTo(listen());

  loop.destroy();

  BOOST_TEST(*failed == ConnectionError::kLost);
  BOOST_TEST(failures == 1);
}

BOOST_FIXTURE_TEST_CASE(a_stop_that_was_not_told_yet_is_told_at_the_end_of_the_reactor,
                        Connecting) {
  connectTo(listen()).stopConnecting();

  loop.destroy();

  BOOST_TEST(*failed == ConnectionError::kStopped);
}

BOOST_FIXTURE_TEST_CASE(the_end_of_the_reactor_ends_the_connection_that_was_made, Connecting) {
  connectTo(listen());
  loop.runUntil([&] { return client.made() && server.made(); }, "the connection");

  loop.destroy();

  BOOST_TEST(client.lost);
  BOOST_TEST(failures == 0);
}

BOOST_FIXTURE_TEST_CASE(a_connector_whose_protocol_was_replaced_is_over, Connecting) {
  Recorder next;
  next.events = {"in place"};  // It hears no connectionMade().
  {
    ReactorFixture own;
    Listener& listener =
        listenTcp(own.reactor(), Address::loopback(0), [this] { return server.makeProtocol(); });
    auto kept = std::make_shared<int>(0);
    const std::weak_ptr<int> keptByConnector = kept;
    connectTcp(
        own.reactor(), getHost(listener), [this, kept] { return client.makeProtocol(); },
        failing());
    kept.reset();
    own.runUntil([&] { return client.made() && server.made(); }, "the connection");
    BOOST_TEST(!keptByConnector.expired());

    client.transport().replaceProtocol(next.makeProtocol());
    own.turn();
    BOOST_TEST(keptByConnector.expired());
    server.transport().write(asBytes("for the next"));
    own.runUntil([&] { return next.received.size() >= 12; }, "all the bytes");
  }
  BOOST_TEST(next.received == "for the next");
  BOOST_TEST(next.lost);
  BOOST_TEST(failures == 0);
}

BOOST_FIXTURE_TEST_CASE(a_negative_timeout_is_refused_at_once, Connecting) {
  BOOST_CHECK_THROW(connectTo(listen(), {.timeout = -1s}), std::invalid_argument);
}

BOOST_FIXTURE_TEST_CASE(without_descriptors_connecting_fails_and_does_not_throw, Connecting,
                        *precondition(onRealKernel)) {
  const Address to = listen();
  rlimit before;
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 0;
  setrlimit(RLIMIT_NOFILE, &none);
  connectTo(to);
  setrlimit(RLIMIT_NOFILE, &before);

  waitForOutcome();

  BOOST_TEST(*failed == std::errc::too_many_files_open);
}

BOOST_AUTO_TEST_SUITE_END()
