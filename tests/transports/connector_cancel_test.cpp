// Connector::cancel(): who ends first hears nothing more.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/transports/connecting.h>
#include <penstock/transports/unix_socket.h>

#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <future>
#include <memory>
#include <stdexcept>
#include <string>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(connector_cancel_test)

namespace {

// Somebody who connects and may end at any moment: whatever is called afterwards is noticed.
struct Cancelling : Connecting {
  std::shared_ptr<int> owner = std::make_shared<int>(0);
  std::weak_ptr<int> watched = owner;

  Connector& start(const Address& to, ConnectOptions options = {}) {
    return connectTcp(loop.reactor(), to, keepingOwner(), failing(), options);
  }
  ProtocolFactory keepingOwner() {
    return [this, kept = owner] { return client.makeProtocol(); };
  }

  void nothingIsHeard() {
    owner.reset();
    loop.settle();
    BOOST_TEST(failures == 0);
    BOOST_TEST(!client.made());
    BOOST_TEST(watched.expired());  // What the handlers kept is given back.
    BOOST_TEST(!loop->timeUntilDue());
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(nothing_is_heard_of_a_connect_that_was_cancelled_at_once, Cancelling) {
  start(listen()).cancel();

  nothingIsHeard();
}

BOOST_FIXTURE_TEST_CASE(nothing_is_heard_of_a_look_up_that_was_cancelled, Cancelling) {
  std::promise<void> gate;
  Resolver silent(
      [opened = gate.get_future().share()](const std::string&) {
        opened.wait();
        return Resolution{{}, {Address::loopback(0)}};
      },
      1);
  Connector& connector =
      connectTcp(loop.reactor(), "somewhere", 1, keepingOwner(), failing(), {.resolver = &silent});
  loop.settle();

  connector.cancel();
  gate.set_value();

  nothingIsHeard();
}

BOOST_FIXTURE_TEST_CASE(nothing_is_heard_of_a_connect_that_waits, Cancelling,
                        *precondition(onRealKernel)) {
  const Unresponsive unresponsive(loop);
  loop.settle();
  const std::size_t before = openDescriptors();
  Connector& connector = start(unresponsive.address(), {.timeout = 50ms});
  loop.turn(3);

  connector.cancel();
  loop.pollUntil([&] { return openDescriptors() == before; }, "the descriptor");

  nothingIsHeard();
}

BOOST_FIXTURE_TEST_CASE(nothing_is_heard_of_a_failure_that_is_on_its_way, Cancelling) {
  Connector& stopped = start(listen());
  stopped.stopConnecting();
  stopped.cancel();
  start(Address::parse("127.0.0.1:1"), {.bindAddress = Address::parse("[::1]:0")}).cancel();

  nothingIsHeard();
}

BOOST_FIXTURE_TEST_CASE(nothing_is_heard_of_a_connect_to_a_unix_socket, Cancelling) {
  const std::string name = "penstock-cancel-test-" + std::to_string(::getpid());
  Listener& listener = listenUnix(loop.reactor(), Address::unixAbstract(name),
                                  [this] { return server.makeProtocol(); });
  const Address at = getHost(listener);

  connectUnix(loop.reactor(), at, keepingOwner(), failing()).cancel();

  nothingIsHeard();
}

BOOST_FIXTURE_TEST_CASE(a_factory_may_cancel_and_gets_no_connection, Cancelling) {
  bool asked = false;
  Connector* connector = nullptr;
  connector = &connectTcp(
      loop.reactor(), listen(),
      [&] {
        asked = true;
        connector->cancel();
        return client.makeProtocol();
      },
      failing());

  loop.runUntil([&] { return asked && server.lost; }, "the end of the connection");

  nothingIsHeard();
}

BOOST_FIXTURE_TEST_CASE(a_failure_handler_may_cancel, Connecting) {
  Connector* connector = nullptr;
  connector = &connectTcp(loop.reactor(), refusing(), making(), [&](std::error_code why) {
    failed = why;
    ++failures;
    connector->cancel();
  });

  waitForOutcome();
  loop.settle();

  BOOST_TEST(failures == 1);
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_was_made_lives_on, Connecting) {
  Connector& connector = connectTo(listen());
  loop.runUntil([&] { return client.made() && server.made(); }, "the connection");

  connector.cancel();
  loop.settle();
  server.transport().write(asBytes("still there"));
  loop.runUntil([&] { return client.received.size() >= 11; }, "the bytes");
  client.transport().loseConnection();
  loop.runUntil([&] { return client.lost; }, "the end");

  BOOST_TEST(client.received == "still there");
  BOOST_TEST(!client.why);
  BOOST_TEST(failures == 0);
}

BOOST_FIXTURE_TEST_CASE(a_protocol_may_cancel_its_connector_at_both_ends_of_the_connection,
                        Connecting) {
  for (const bool atTheBeginning : {true, false}) {
    Recorder here;
    Connector* connector = nullptr;
    here.onMade = [&](Transport& transport) {
      if (atTheBeginning) connector->cancel();
      transport.loseConnection();
    };
    here.onLost = [&](std::error_code) {
      if (!atTheBeginning) connector->cancel();
    };
    connector = &connectTcp(
        loop.reactor(), listen(), [&] { return here.makeProtocol(); }, failing());
    loop.runUntil([&] { return here.lost; }, "the end");
    loop.settle();
    BOOST_TEST(!here.why);
  }
  BOOST_TEST(failures == 0);
}

BOOST_FIXTURE_TEST_CASE(a_connector_that_was_cancelled_is_not_told_at_the_end_of_the_reactor,
                        Connecting) {
  connectTo(listen()).cancel();

  loop.destroy();

  BOOST_TEST(failures == 0);
}

BOOST_FIXTURE_TEST_CASE(an_empty_factory_is_refused_at_once, Connecting) {
  BOOST_CHECK_THROW(connectTcp(loop.reactor(), listen(), {}, failing()), std::invalid_argument);
  BOOST_CHECK_THROW(connectTcp(loop.reactor(), "localhost", 1, {}, failing()),
                    std::invalid_argument);
  BOOST_CHECK_THROW(connectUnix(loop.reactor(), Address::unixAbstract("nobody"), {}, failing()),
                    std::invalid_argument);
  loop.settle();
  BOOST_TEST(failures == 0);
}

BOOST_FIXTURE_TEST_CASE(without_a_failure_handler_nobody_asks, Connecting) {
  connectTcp(loop.reactor(), refusing(), making(), {});
  connectTcp(loop.reactor(), "localhost", 1, making(), {}).stopConnecting();
  connectTcp(loop.reactor(), Address::parse("127.0.0.1:1"), making(), {},
             {.bindAddress = Address::parse("[::1]:0")});
  loop.settle();
  connectTcp(loop.reactor(), listen(), making(), {});

  loop.destroy();

  BOOST_TEST(loop.logLines().empty());
}

BOOST_AUTO_TEST_SUITE_END()
