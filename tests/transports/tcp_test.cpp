// TCP: listening at all kinds of addresses, and what a connection can be asked and told.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/transports/tcp.h>

#include <sys/socket.h>
#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(tcp_test)

namespace {

struct Tcp {
  Recorder client, server;
  std::error_code failed;
  ReactorFixture loop;

  ProtocolFactory serving() {
    return [this] { return server.makeProtocol(); };
  }

  Listener& listenAt(const Address& at, const ListenOptions& options = {}) {
    return listenTcp(loop.reactor(), at, serving(), options);
  }

  // Connects and waits until both ends were made.
  void connectTo(const Address& to, const ConnectOptions& options = {}) {
    connectTcp(
        loop.reactor(), to, [this] { return client.makeProtocol(); },
        [this](std::error_code why) { failed = why; }, options);
    loop.runUntil([&] { return failed || (client.made() && server.made()); }, "the connection");
    BOOST_REQUIRE_MESSAGE(!failed, failed.message());
  }

  void connectAt(const Address& at, const ListenOptions& options = {}) {
    connectTo(getHost(listenAt(at, options)));
  }
};

template <class Call>
std::system_error errorFrom(Call call) {
  try {
    call();
  } catch (const std::system_error& error) {
    return error;
  }
  return std::system_error(std::error_code{}, "nothing was thrown");
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(both_ends_agree_about_their_addresses, Tcp) {
  Listener& listener = listenAt(Address::parse("127.0.0.1:0"));

  const Address at = getHost(listener);
  connectTo(at);

  BOOST_TEST(at.host() == "127.0.0.1");
  BOOST_TEST(at.port() != 0);
  BOOST_TEST(getPeer(client.transport()) == at);
  BOOST_TEST(getHost(server.transport()) == at);
  BOOST_TEST(getHost(client.transport()) == getPeer(server.transport()));
}

BOOST_FIXTURE_TEST_CASE(ipv6_carries_bytes_and_tells_its_addresses, Tcp) {
  connectAt(Address::loopback(0, AF_INET6));

  client.transport().write(asBytes("six"));
  loop.runUntil([&] { return server.received == "six"; }, "the bytes");

  BOOST_TEST(getPeer(client.transport()).host() == "::1");
  BOOST_TEST(getHost(server.transport()).family() == AF_INET6);
}

BOOST_FIXTURE_TEST_CASE(an_ipv6_listener_hears_ipv4_unless_told_otherwise, Tcp,
                        *precondition(onRealKernel)) {
  const std::uint16_t both = getHost(listenAt(Address::any(0, AF_INET6))).port();
  connectTo(Address::loopback(both));
  BOOST_TEST(getPeer(server.transport()).host() == "::ffff:127.0.0.1");

  ListenOptions options;
  options.ipv6Only = true;
  const std::uint16_t six = getHost(listenAt(Address::any(0, AF_INET6), options)).port();
  connectTcp(
      loop.reactor(), Address::loopback(six), [] { return nullptr; },
      [this](std::error_code why) { failed = why; });
  loop.runUntil([&] { return static_cast<bool>(failed); }, "the refusal");
  BOOST_TEST(failed == std::errc::connection_refused);
}

BOOST_FIXTURE_TEST_CASE(an_address_in_use_is_named_in_the_error, Tcp) {
  const Address at = getHost(listenAt(Address::parse("127.0.0.1:0")));

  const std::system_error error = errorFrom([&] { listenAt(at); });

  BOOST_TEST(error.code() == std::errc::address_in_use);
  BOOST_TEST(error.what() == "bind " + at.text() + ": Address already in use");
}

BOOST_FIXTURE_TEST_CASE(an_address_that_is_not_ours_is_named_in_the_error, Tcp,
                        *precondition(onRealKernel)) {
  const std::system_error error = errorFrom([&] { listenAt(Address::parse("192.0.2.1:0")); });

  BOOST_TEST(error.code() == std::errc::address_not_available);
  BOOST_TEST(std::string(error.what()).starts_with("bind 192.0.2.1:0: "));
}

BOOST_FIXTURE_TEST_CASE(an_address_can_be_listened_at_again_at_once, Tcp) {
  Listener& listener = listenAt(Address::parse("127.0.0.1:0"));
  const Address at = getHost(listener);
  connectTo(at);
  listener.stopListening();
  server.transport().loseConnection();  // This side ends first and keeps the port in TIME_WAIT.
  loop.runUntil([&] { return client.lost && server.lost; }, "the end");

  Listener& again = listenAt(at);

  BOOST_TEST(getHost(again) == at);
}

BOOST_FIXTURE_TEST_CASE(several_listeners_share_a_port_only_if_all_ask_for_it, Tcp,
                        *precondition(onRealKernel)) {
  ListenOptions options;
  options.reusePort = true;
  const Address at = getHost(listenAt(Address::parse("127.0.0.1:0"), options));

  Listener& second = listenAt(at, options);
  const std::system_error error = errorFrom([&] { listenAt(at); });

  BOOST_TEST(getHost(second) == at);
  BOOST_TEST(error.code() == std::errc::address_in_use);
}

BOOST_FIXTURE_TEST_CASE(no_connection_is_made_after_stopListening, Tcp) {
  Listener& listener = listenAt(Address::parse("127.0.0.1:0"));
  const Address at = getHost(listener);

  listener.stopListening();
  loop.settle();
  connectTcp(
      loop.reactor(), at, [this] { return client.makeProtocol(); },
      [this](std::error_code why) { failed = why; });
  loop.runUntil([&] { return failed || client.made(); }, "an answer");

  BOOST_TEST(failed == std::errc::connection_refused);
  BOOST_TEST(!server.made());
}

BOOST_FIXTURE_TEST_CASE(listening_takes_no_unix_address, Tcp) {
  BOOST_CHECK_THROW(listenAt(Address::parse("unix:@x")), std::invalid_argument);
}

BOOST_FIXTURE_TEST_CASE(no_delay_is_on_at_both_ends_unless_told_otherwise, Tcp,
                        *precondition(onRealKernel)) {
  connectAt(Address::parse("127.0.0.1:0"));

  BOOST_TEST(getTcpNoDelay(client.transport()));
  BOOST_TEST(getTcpNoDelay(server.transport()));
  setTcpNoDelay(client.transport(), false);
  BOOST_TEST(!getTcpNoDelay(client.transport()));
}

BOOST_FIXTURE_TEST_CASE(no_delay_can_be_left_off, Tcp, *precondition(onRealKernel)) {
  ListenOptions listening;
  listening.noDelay = false;
  ConnectOptions connecting;
  connecting.noDelay = false;

  connectTo(getHost(listenAt(Address::parse("127.0.0.1:0"), listening)), connecting);

  BOOST_TEST(!getTcpNoDelay(client.transport()));
  BOOST_TEST(!getTcpNoDelay(server.transport()));
}

BOOST_FIXTURE_TEST_CASE(keep_alive_is_off_until_turned_on, Tcp, *precondition(onRealKernel)) {
  connectAt(Address::parse("127.0.0.1:0"));

  BOOST_TEST(!getTcpKeepAlive(client.transport()));
  setTcpKeepAlive(client.transport(), true);
  BOOST_TEST(getTcpKeepAlive(client.transport()));
  BOOST_TEST(!getTcpKeepAlive(server.transport()));
}

BOOST_FIXTURE_TEST_CASE(half_closing_leaves_the_answer_a_way_back, Tcp) {
  server.halfCloseable = true;
  client.halfCloseable = true;
  server.onReadLost = [this] {
    server.transport().write(asBytes("answer to " + server.received));
    server.transport().loseConnection();
  };
  connectAt(Address::parse("127.0.0.1:0"));

  client.transport().write(asBytes("question"));
  client.transport().loseWriteConnection();
  loop.runUntil([&] { return client.heard("readLost"); }, "the answer and its end");

  BOOST_TEST(client.received == "answer to question");
  BOOST_TEST(client.heard("writeLost"));
  client.transport().loseConnection();
  BOOST_TEST(client.events.back() == "lost");
}

BOOST_FIXTURE_TEST_CASE(an_abort_resets_the_other_side, Tcp) {
  connectAt(Address::parse("127.0.0.1:0"));

  client.transport().abortConnection();
  loop.runUntil([&] { return client.lost && server.lost; }, "the end");

  BOOST_TEST(client.why == ConnectionError::kAborted);
  BOOST_TEST(server.why == std::errc::connection_reset);
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_is_over_has_addresses_but_no_options, Tcp) {
  bool asked = false;
  Address host, peer;
  client.onMade = [&](Transport& transport) {
    host = getHost(transport);
    peer = getPeer(transport);
  };
  client.onLost = [&](std::error_code) {
    asked = true;
    BOOST_CHECK(getHost(client.transport()) == host);
    BOOST_CHECK(getPeer(client.transport()) == peer);
    BOOST_CHECK_THROW(setTcpNoDelay(client.transport(), true), std::logic_error);
    BOOST_CHECK_THROW(getTcpKeepAlive(client.transport()), std::logic_error);
  };
  connectAt(Address::parse("127.0.0.1:0"));

  client.transport().loseConnection();
  loop.runUntil([&] { return client.lost; }, "the end");

  BOOST_TEST(asked);
}

// The kernel has forgotten who it was by the time that the connection is made.
BOOST_FIXTURE_TEST_CASE(a_peer_that_has_reset_is_known_from_beginning_to_end, Tcp,
                        *precondition(onRealKernel)) {
  std::vector<std::string> seen;
  const auto ask = [&](auto&&...) {
    seen.push_back(getPeer(server.transport()).text());
    seen.push_back(getHost(server.transport()).text());
  };
  server.onMade = ask;
  server.onLost = ask;
  Address told;
  const Address at =
      getHost(listenTcp(loop.reactor(), Address::parse("127.0.0.1:0"), [&](const Address& peer) {
        told = peer;
        return server.makeProtocol();
      }));
  loop.turn(2);

  OwnedFd raw = connectRaw(at);
  const std::string from = Address(addressOf(raw.get())).text();
  const linger immediately{1, 0};
  ::setsockopt(raw.get(), SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
  raw.reset();
  loop.runUntil([&] { return server.lost; }, "the end");

  BOOST_TEST(told.text() == from);
  const std::vector<std::string> expected{from, at.text(), from, at.text()};
  BOOST_TEST(seen == expected, boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(a_listener_takes_its_address_as_text, Tcp) {
  Listener& listener =
      listenTcp(loop.reactor(), "127.0.0.1:0", [this] { return server.makeProtocol(); });

  BOOST_TEST(getHost(listener).host() == "127.0.0.1");
  BOOST_CHECK_THROW(listenTcp(loop.reactor(), "localhost", [] { return nullptr; }),
                    std::invalid_argument);
  BOOST_CHECK_THROW(listenTcp(loop.reactor(), "unix:/nowhere", [] { return nullptr; }),
                    std::invalid_argument);
}

BOOST_FIXTURE_TEST_CASE(a_listener_without_a_factory_is_refused, Tcp) {
  BOOST_CHECK_THROW(listenTcp(loop.reactor(), "127.0.0.1:0", nullptr), std::invalid_argument);
}

BOOST_FIXTURE_TEST_CASE(a_listener_may_have_a_limit_from_the_beginning, Tcp) {
  Recorder second, other;
  int made = 0;
  ListenOptions options;
  options.mostConnections = 1;
  const Address at = getHost(listenTcp(
      loop.reactor(), "127.0.0.1:0",
      [&] { return ++made == 1 ? server.makeProtocol() : second.makeProtocol(); }, options));
  connectTo(at);
  loop.connectTo(at, other, SocketFamily::kTcp);
  loop.runUntil([&] { return other.made(); }, "the second");
  loop.settle();
  BOOST_TEST(made == 1);

  client.transport().loseConnection();
  loop.runUntil([&] { return second.made(); }, "its turn");
  loop.destroy();
}

// The simulated kernel lets cancellations lose their race, and the address is free a little later.
BOOST_FIXTURE_TEST_CASE(an_address_is_free_again_as_soon_as_its_listener_has_stopped, Tcp,
                        *precondition(onRealKernel)) {
  Listener& listener = listenAt(Address::loopback(0));
  const Address at = getHost(listener);
  loop.turn();

  listener.stopListening();
  listenAt(at);

  connectTo(at);
  BOOST_TEST(server.made());
}

BOOST_FIXTURE_TEST_CASE(an_exception_after_an_abort_tells_why_and_the_peer_is_reset_all_the_same,
                        Tcp, *precondition(onRealKernel)) {
  const OwnedFd peer = loop.connectRawPeer(server);
  server.onData = [this](Bytes) {
    server.transport().abortConnection();
    throw std::runtime_error("after the abort");
  };

  BOOST_TEST_REQUIRE(::send(peer.get(), "x", 1, MSG_NOSIGNAL) == 1);
  loop.runUntil([this] { return server.lost; }, "the end");
  loop.settle();

  char byte;
  BOOST_TEST(server.why == ConnectionError::kProtocolFailed);
  BOOST_TEST(::recv(peer.get(), &byte, 1, MSG_DONTWAIT) == -1);
  BOOST_TEST(errno == ECONNRESET);
}

BOOST_AUTO_TEST_SUITE_END()
