// Connecting: one address after the other, within the time.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/transports/connecting.h>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(connector_test)

BOOST_FIXTURE_TEST_CASE(a_connection_is_made_and_the_connector_follows_its_state, Connecting) {
  Connector& connector = connectTo(listen());
  BOOST_TEST(connector.state() == State::kConnecting);
  State atEnd = State::kConnected;
  client.onLost = [&](std::error_code) { atEnd = connector.state(); };

  loop.runUntil([&] { return client.made() && server.made(); }, "the connection");
  BOOST_TEST(connector.state() == State::kConnected);
  connector.disconnect();
  loop.runUntil([&] { return client.lost; }, "the end");

  BOOST_TEST(atEnd == State::kDisconnected);
  BOOST_TEST(client.why == std::error_code());
  BOOST_TEST(failures == 0);
}

BOOST_FIXTURE_TEST_CASE(nothing_is_called_from_inside_connectTcp, Connecting) {
  connectTo(listen());

  BOOST_TEST(!client.made());
  connectTo(Address::parse("127.0.0.1:1"), {.bindAddress = Address::parse("[::1]:0")});
  BOOST_TEST(failures == 0);
  loop.runUntil([&] { return failures == 1 && client.made(); }, "both outcomes");
}

BOOST_FIXTURE_TEST_CASE(a_refusal_is_told_once, Connecting) {
  State atFailure = State::kConnecting;
  const Address to = refusing();
  Connector* connector = nullptr;
  connector = &connectTcp(loop.reactor(), to, making(), [&](std::error_code why) {
    failed = why;
    ++failures;
    atFailure = connector->state();
  });

  waitForOutcome();
  loop.settle();

  BOOST_TEST(*failed == std::errc::connection_refused);
  BOOST_TEST(failures == 1);
  BOOST_TEST(atFailure == State::kDisconnected);
}

BOOST_FIXTURE_TEST_CASE(a_host_is_found_by_name, Connecting) {
  const std::uint16_t port = listen().port();

  connectTcp(loop.reactor(), "localhost", port, making(), failing());
  waitForOutcome();

  BOOST_TEST(client.made());
}

BOOST_FIXTURE_TEST_CASE(a_numeric_host_needs_no_look_up, Connecting) {
  const std::uint16_t port = listen().port();
  Resolver never([](const std::string&) -> Resolution { std::abort(); });

  connectTcp(loop.reactor(), "127.0.0.1", port, making(), failing(), {.resolver = &never});
  waitForOutcome();

  BOOST_TEST(client.made());
}

BOOST_FIXTURE_TEST_CASE(an_unknown_name_is_unresolved, Connecting) {
  resolver = std::make_unique<Resolver>([](const std::string&) {
    return Resolution{ConnectionError::kUnresolved, {}};
  });

  connectTcp(loop.reactor(), "nowhere.invalid", 1, making(), failing(),
             {.resolver = resolver.get()});
  waitForOutcome();

  BOOST_TEST(*failed == ConnectionError::kUnresolved);
}

BOOST_FIXTURE_TEST_CASE(a_name_without_addresses_is_unresolved, Connecting) {
  connectTo(std::vector<Address>{});
  waitForOutcome();

  BOOST_TEST(*failed == ConnectionError::kUnresolved);
}

BOOST_FIXTURE_TEST_CASE(the_next_address_is_tried_when_one_refuses, Connecting) {
  const Address good = listen();

  // The look-up gives hosts, and the port is the same for all: nobody listens at the first host.
  resolver = resolverOf({Address::parse("127.0.0.2:0"), Address::loopback(0)});
  connectTcp(loop.reactor(), "somewhere", good.port(), making(), failing(),
             {.resolver = resolver.get()});
  waitForOutcome();

  BOOST_TEST(client.made());
  BOOST_TEST(failures == 0);
}

BOOST_FIXTURE_TEST_CASE(when_all_addresses_refuse_the_last_refusal_is_told, Connecting) {
  const std::uint16_t port = refusing().port();
  resolver = resolverOf({Address::loopback(0, AF_INET6), Address::loopback(0)});

  connectTcp(loop.reactor(), "somewhere", port, making(), failing(), {.resolver = resolver.get()});
  waitForOutcome();

  BOOST_TEST(*failed == std::errc::connection_refused);
  BOOST_TEST(failures == 1);
}

BOOST_FIXTURE_TEST_CASE(the_local_address_can_be_chosen, Connecting, *precondition(onRealKernel)) {
  connectTo(listen(), {.bindAddress = Address::parse("127.0.0.9:0")});
  loop.runUntil([&] { return failed || (client.made() && server.made()); }, "the connection");

  BOOST_REQUIRE(!failed);
  BOOST_TEST(getHost(client.transport()).host() == "127.0.0.9");
  BOOST_TEST(getPeer(server.transport()).host() == "127.0.0.9");
}

BOOST_FIXTURE_TEST_CASE(a_local_address_that_is_not_ours_fails, Connecting,
                        *precondition(onRealKernel)) {
  connectTo(listen(), {.bindAddress = Address::parse("192.0.2.1:0")});
  waitForOutcome();

  BOOST_TEST(*failed == std::errc::address_not_available);
}

BOOST_FIXTURE_TEST_CASE(a_local_address_in_use_fails, Connecting) {
  const Address to = listen();

  connectTo(to, {.bindAddress = to});
  waitForOutcome();

  BOOST_TEST(*failed == std::errc::address_in_use);
}

// The kernel may pick the local port that is asked for, where nobody listens.
BOOST_FIXTURE_TEST_CASE(a_connection_to_itself_counts_as_refused, Connecting,
                        *precondition(onRealKernel)) {
  const Address nobody = refusing();
  unlistened.clear();  // Its port is for the connection.

  connectTo(nobody, {.bindAddress = nobody});
  waitForOutcome();

  BOOST_CHECK(*failed == std::errc::connection_refused);
  BOOST_TEST(!client.made());
}

BOOST_FIXTURE_TEST_CASE(connecting_ends_with_its_time, Connecting, *precondition(onRealKernel)) {
  const Unresponsive unresponsive(loop);
  const TimePoint start = loop->now();

  connectTo(unresponsive.address(), {.timeout = 200ms});
  waitForOutcome();

  BOOST_TEST(*failed == ConnectionError::kTimedOut);
  BOOST_TEST(loop->now() - start >= 200ms);
  BOOST_TEST(!client.made());
}

BOOST_FIXTURE_TEST_CASE(an_address_that_does_not_answer_leaves_time_for_the_next, Connecting,
                        *precondition(onRealKernel)) {
  const Unresponsive unresponsive(loop);
  const std::uint16_t port = unresponsive.address().port();
  listenTcp(loop.reactor(), Address::ipv4("127.0.0.2", port),
            [this] { return server.makeProtocol(); });
  resolver = resolverOf({Address::loopback(0), Address::parse("127.0.0.2:0")});

  const ConnectOptions options{.timeout = 3s, .resolver = resolver.get()};
  const TimePoint start = loop->now();
  connectTcp(loop.reactor(), "somewhere", port, making(), failing(), options);
  waitForOutcome();

  BOOST_TEST(loop->now() - start < options.timeout);
  BOOST_TEST(client.made());
  BOOST_TEST(failures == 0);
}

// The second address has a limit of its own: without one, nothing would ever end this.
BOOST_FIXTURE_TEST_CASE(a_silent_address_behind_another_ends_with_the_time, Connecting,
                        *precondition(onRealKernel)) {
  const Unresponsive unresponsive(loop);
  const std::uint16_t port = unresponsive.address().port();
  const Address refusing = Address::parse("127.0.0.2:0");  // Nobody has that port there.
  const Address silent = Address::loopback(0);

  for (const Address& first : {refusing, silent}) {
    resolver = resolverOf({first, silent});
    failed.reset();
    const TimePoint start = loop->now();
    connectTcp(loop.reactor(), "somewhere", port, making(), failing(),
               {.timeout = 200ms, .resolver = resolver.get()});
    waitForOutcome();

    BOOST_CHECK(*failed == ConnectionError::kTimedOut);
    BOOST_CHECK(loop->now() - start >= 200ms);
    BOOST_CHECK(loop->now() - start < 2s);
  }
}

BOOST_FIXTURE_TEST_CASE(a_place_can_be_given_as_text, Connecting) {
  const std::uint16_t port = listen().port();
  const auto connected = [&](const std::string& host) {
    Recorder here;
    std::optional<std::error_code> why;
    connectTcp(
        loop.reactor(), host + ":" + std::to_string(port), [&] { return here.makeProtocol(); },
        [&](std::error_code error) { why = error; });
    loop.runUntil([&] { return why || (here.made() && server.made()); }, "an outcome");
    if (why) return false;
    here.transport().abortConnection();
    loop.runUntil([&] { return here.lost; }, "the end");
    return true;
  };

  BOOST_TEST(connected("127.0.0.1"));
  BOOST_TEST(connected("localhost"));
}

BOOST_FIXTURE_TEST_CASE(text_that_is_no_place_is_refused_at_once_and_named, Connecting) {
  for (const std::string text :
       {"", "example.org", "example.org:", "example.org:http", ":80", "*:80", "example.org:0",
        "example.org:65536", "::1:80", "[example.org]:80", "unix:/tmp/socket"}) {
    try {
      connectTcp(loop.reactor(), text, making(), failing());
      BOOST_ERROR("accepted: " << text);
    } catch (const std::invalid_argument& error) {
      BOOST_TEST(std::string(error.what()).find("\"" + text + "\"") != std::string::npos,
                 error.what());
    }
  }
  loop.settle();
  BOOST_TEST(failures == 0);
}

BOOST_FIXTURE_TEST_CASE(a_factory_that_stops_its_own_connector_gets_no_connection, Connecting) {
  const Address at = listen();
  Connector* connector = nullptr;
  connector = &connectTcp(
      loop.reactor(), at,
      [&] {
        connector->stopConnecting();
        return client.makeProtocol();
      },
      failing());

  loop.runUntil([this] { return failures > 0; }, "the failure");
  loop.settle();

  BOOST_TEST(failures == 1);
  BOOST_TEST(*failed == ConnectionError::kStopped);
  BOOST_TEST(!client.made());
}

BOOST_AUTO_TEST_SUITE_END()
