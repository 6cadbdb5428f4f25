// Connecting: one address after the other, within the time, until stopped.
#define BOOST_TEST_MODULE connector
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/transports/resolver.h>
#include <penstock/transports/tcp.h>

#include <sys/resource.h>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;
using boost::unit_test::precondition;

namespace {

using State = Connector::State;

// Finds the same addresses for every name.
std::unique_ptr<Resolver> resolverOf(std::vector<Address> addresses) {
  return std::make_unique<Resolver>(
      [addresses = std::move(addresses)](const std::string&) {
        return Resolution{{}, addresses};
      },
      1);
}

struct Connecting {
  Recorder client, server;
  std::optional<std::error_code> failed;
  int failures = 0;
  std::unique_ptr<Resolver> resolver;
  ReactorFixture loop;

  ProtocolFactory making() {
    return [this] { return client.makeProtocol(); };
  }
  ConnectFailedHandler failing() {
    return [this](std::error_code why) {
      failed = why;
      ++failures;
    };
  }

  Address listen() {
    return getHost(
        listenTcp(loop.reactor(), Address::loopback(0), [this] { return server.makeProtocol(); }));
  }

  // Where nobody listens.
  Address refusing() {
    Listener& listener = listenTcp(loop.reactor(), Address::loopback(0), [] { return nullptr; });
    const Address at = getHost(listener);
    listener.stopListening();
    loop.settle();
    return at;
  }

  Connector& connectTo(const Address& to, const ConnectOptions& options = {}) {
    return connectTcp(loop.reactor(), to, making(), failing(), options);
  }
  Connector& connectTo(std::vector<Address> addresses, ConnectOptions options = {}) {
    resolver = resolverOf(std::move(addresses));
    options.resolver = resolver.get();
    return connectTcp(loop.reactor(), "somewhere", 0, making(), failing(), options);
  }

  void waitForOutcome() {
    loop.runUntil([this] { return failed || client.made(); }, "a connection or a failure");
  }
};

// A listener whose backlog is full: connecting to it takes for ever.
class Unresponsive {
 public:
  explicit Unresponsive(ReactorFixture& loop) {
    ListenOptions options;
    options.backlog = 0;
    listener_ = listeningSocket(loop.reactor(), Address::loopback(0), options);
    sockaddr_storage storage;
    socklen_t length = sizeof storage;
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&storage), &length);
    address_ = Address::fromSockaddr(reinterpret_cast<sockaddr*>(&storage), length);
    for (int i = 0; i < 4; ++i) {
      fillers_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      ::connect(fillers_.back().get(), address_.data(), address_.length());
    }
  }
  const Address& address() const noexcept { return address_; }

 private:
  OwnedFd listener_;
  Address address_;
  std::vector<OwnedFd> fillers_;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_connection_is_made_and_the_connector_follows_its_state, Connecting) {
  Connector& connector = connectTo(listen());
  BOOST_CHECK(connector.state() == State::kConnecting);
  State atEnd = State::kConnected;
  client.onLost = [&](std::error_code) { atEnd = connector.state(); };

  loop.runUntil([&] { return client.made() && server.made(); }, "the connection");
  BOOST_CHECK(connector.state() == State::kConnected);
  connector.disconnect();
  loop.runUntil([&] { return client.lost; }, "the end");

  BOOST_CHECK(atEnd == State::kDisconnected);
  BOOST_CHECK(!client.why);
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

  BOOST_CHECK(*failed == std::errc::connection_refused);
  BOOST_TEST(failures == 1);
  BOOST_CHECK(atFailure == State::kDisconnected);
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

  BOOST_CHECK(*failed == ConnectionError::kUnresolved);
}

BOOST_FIXTURE_TEST_CASE(a_name_without_addresses_is_unresolved, Connecting) {
  connectTo(std::vector<Address>{});
  waitForOutcome();

  BOOST_CHECK(*failed == ConnectionError::kUnresolved);
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

  BOOST_CHECK(*failed == std::errc::connection_refused);
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

  BOOST_CHECK(*failed == std::errc::address_not_available);
}

BOOST_FIXTURE_TEST_CASE(connecting_ends_with_its_time, Connecting, *precondition(onRealKernel)) {
  const Unresponsive unresponsive(loop);
  const TimePoint start = loop->now();

  connectTo(unresponsive.address(), {.timeout = 200ms});
  waitForOutcome();

  BOOST_CHECK(*failed == ConnectionError::kTimedOut);
  BOOST_CHECK(loop->now() - start >= 200ms);
  BOOST_TEST(!client.made());
}

BOOST_FIXTURE_TEST_CASE(an_address_that_does_not_answer_leaves_time_for_the_next, Connecting,
                        *precondition(onRealKernel)) {
  const Unresponsive unresponsive(loop);
  const std::uint16_t port = unresponsive.address().port();
  listenTcp(loop.reactor(), Address::ipv4("127.0.0.2", port),
            [this] { return server.makeProtocol(); });
  resolver = resolverOf({Address::loopback(0), Address::parse("127.0.0.2:0")});

  connectTcp(loop.reactor(), "somewhere", port, making(), failing(),
             {.timeout = 400ms, .resolver = resolver.get()});
  waitForOutcome();

  BOOST_TEST(client.made());
  BOOST_TEST(failures == 0);
}

BOOST_FIXTURE_TEST_CASE(stopping_is_told_in_the_next_turn_and_nothing_else_is, Connecting) {
  Connector& connector = connectTo(listen());

  connector.stopConnecting();
  BOOST_CHECK(connector.state() == State::kDisconnected);
  BOOST_TEST(failures == 0);
  BOOST_CHECK_THROW(connector.stopConnecting(), std::logic_error);
  waitForOutcome();
  loop.settle();

  BOOST_CHECK(*failed == ConnectionError::kStopped);
  BOOST_TEST(failures == 1);
  BOOST_TEST(!client.made());
}

BOOST_FIXTURE_TEST_CASE(stopping_ends_a_look_up, Connecting) {
  Connector& connector = connectTo({Address::loopback(0)});

  connector.disconnect();
  waitForOutcome();
  loop.settle();

  BOOST_CHECK(*failed == ConnectionError::kStopped);
  BOOST_TEST(failures == 1);
}

BOOST_FIXTURE_TEST_CASE(stopping_a_connect_that_nobody_answers_works, Connecting,
                        *precondition(onRealKernel)) {
  const Unresponsive unresponsive(loop);
  Connector& connector = connectTo(unresponsive.address());
  loop.settle();
  BOOST_CHECK(connector.state() == State::kConnecting);

  connector.stopConnecting();
  waitForOutcome();

  BOOST_CHECK(*failed == ConnectionError::kStopped);
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

  BOOST_CHECK(*failed == ConnectionError::kStopped);
}

BOOST_FIXTURE_TEST_CASE(a_factory_that_throws_fails_the_connect_and_is_logged, Connecting) {
  connectTcp(
      loop.reactor(), listen(),
      []() -> std::unique_ptr<Protocol> { throw std::runtime_error("on purpose"); }, failing());
  waitForOutcome();

  BOOST_CHECK(*failed == ConnectionError::kProtocolFailed);
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

  BOOST_CHECK(*failed == ConnectionError::kLost);
  BOOST_TEST(failures == 1);
}

BOOST_FIXTURE_TEST_CASE(a_stop_that_was_not_told_yet_is_told_at_the_end_of_the_reactor,
                        Connecting) {
  connectTo(listen()).stopConnecting();

  loop.destroy();

  BOOST_CHECK(*failed == ConnectionError::kStopped);
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
    connectTcp(own.reactor(), getHost(listener), making(), failing());
    own.runUntil([&] { return client.made() && server.made(); }, "the connection");

    client.transport().replaceProtocol(next.makeProtocol());
    server.transport().write(asBytes("for the next"));
    own.runUntil([&] { return !next.received.empty(); }, "the bytes");
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

  BOOST_CHECK(*failed == std::errc::too_many_files_open);
}
