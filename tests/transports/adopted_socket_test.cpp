// Sockets that somebody else has opened become listeners and transports.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/complaint.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/transports/tcp.h>

#include <fcntl.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(adopted_socket_test)

namespace {

struct Adopting {
  Recorder client, server;
  ReactorFixture loop;

  ProtocolFactory serving() {
    return [this] { return server.makeProtocol(); };
  }

  OwnedFd listening() { return listeningSocket(loop.reactor(), Address::loopback(0)); }

  // Gives the wrong mode to the descriptor for this family.
  void setWrongMode(int fd) {
    const bool wantsNonBlocking = (loop->socketFlags() & SOCK_NONBLOCK) != 0;
    const int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, wantsNonBlocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_listening_socket_accepts_for_us, Adopting) {
  Listener& listener = adoptListener(loop.reactor(), listening(), serving());

  connectTcp(
      loop.reactor(), getHost(listener), [this] { return client.makeProtocol(); },
      [](std::error_code why) { BOOST_FAIL(why.message()); });
  loop.runUntil([&] { return client.made() && server.made(); }, "the connection");
  client.transport().write(asBytes("hello"));
  loop.runUntil([&] { return server.received == "hello"; }, "the bytes");
}

BOOST_FIXTURE_TEST_CASE(a_listening_socket_of_the_wrong_mode_is_put_right, Adopting,
                        *precondition(onRealKernel)) {
  OwnedFd fd = listening();
  setWrongMode(fd.get());

  Listener& listener = adoptListener(loop.reactor(), std::move(fd), serving());
  loop.settle();  // Blocking on epoll it would hang here, non-blocking on io_uring give up.
  connectTcp(
      loop.reactor(), getHost(listener), [this] { return client.makeProtocol(); },
      [](std::error_code why) { BOOST_FAIL(why.message()); });
  loop.runUntil([&] { return client.made() && server.made(); }, "the connection");

  BOOST_TEST(loop.logLines().empty());
}

BOOST_FIXTURE_TEST_CASE(a_connected_socket_of_the_wrong_mode_carries_bytes, Adopting,
                        *precondition(onRealKernel)) {
  auto [ours, theirs] = SocketPair();
  setWrongMode(ours.get());

  adoptStream(loop.reactor(), std::move(ours), server.makeProtocol());
  BOOST_TEST(server.made());
  loop.settle();
  BOOST_TEST_REQUIRE(::send(theirs.get(), "ping", 4, 0) == 4);
  loop.runUntil([&] { return server.received == "ping"; }, "the bytes");
  server.transport().write(asBytes("pong"));
  loop.settle();

  char answer[5] = {};
  BOOST_TEST(::recv(theirs.get(), answer, 4, MSG_DONTWAIT) == 4);
  BOOST_TEST(answer == std::string("pong"));
}

BOOST_FIXTURE_TEST_CASE(a_connected_tcp_socket_carries_bytes_and_tells_its_addresses, Adopting,
                        *precondition(onRealKernel)) {
  const OwnedFd listener = listening();
  const SocketAddress to = addressOf(listener.get());
  const OwnedFd theirs = connectRaw(to);
  OwnedFd ours(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  BOOST_TEST_REQUIRE(ours.get() >= 0);

  Transport& transport = adoptStream(loop.reactor(), std::move(ours), server.makeProtocol());
  const SocketAddress from = addressOf(theirs.get());
  BOOST_TEST(getHost(transport) == Address::fromSockaddr(to.data(), to.length()));
  BOOST_TEST(getPeer(transport) == Address::fromSockaddr(from.data(), from.length()));
  BOOST_TEST_REQUIRE(::send(theirs.get(), "ping", 4, 0) == 4);
  loop.runUntil([&] { return server.received == "ping"; }, "the bytes");
  transport.loseConnection();

  char end = 0;
  loop.pollUntil([&] { return ::recv(theirs.get(), &end, 1, MSG_DONTWAIT) == 0; }, "the end");
}

// Whoever shares it, as a parent process, goes on accepting.
BOOST_FIXTURE_TEST_CASE(stopping_closes_an_adopted_listener_and_does_not_shut_it_down, Adopting,
                        *precondition(onRealKernel)) {
  OwnedFd fd = listening();
  const SocketAddress to = addressOf(fd.get());
  const OwnedFd shared(::dup(fd.get()));
  Listener& listener = adoptListener(loop.reactor(), std::move(fd), serving());
  const OwnedFd first = connectRaw(to);
  loop.runUntil([&] { return server.made(); }, "the accept");
  const std::size_t before = openDescriptors();

  listener.stopListening();
  loop.runUntil([&] { return openDescriptors() < before; }, "the close");
  const OwnedFd second = connectRaw(to);
  const OwnedFd accepted(::accept(shared.get(), nullptr, nullptr));

  BOOST_TEST(accepted.get() >= 0);
}

BOOST_FIXTURE_TEST_CASE(what_is_adopted_is_closed_on_exec_and_keeps_its_mode, Adopting,
                        *precondition(onRealKernel)) {
  for (const int mode : {0, O_NONBLOCK}) {
    auto [ours, theirs] = SocketPair();
    const int stream = ours.get();
    OwnedFd fd = listening();
    const int listener = fd.get();
    for (const int each : {stream, listener}) {
      ::fcntl(each, F_SETFD, 0);
      ::fcntl(each, F_SETFL, (::fcntl(each, F_GETFL) & ~O_NONBLOCK) | mode);
    }

    adoptStream(loop.reactor(), std::move(ours), server.makeProtocol());
    adoptListener(loop.reactor(), std::move(fd), [] { return nullptr; });
    loop.settle();

    BOOST_TEST((::fcntl(stream, F_GETFD) & FD_CLOEXEC) != 0);
    BOOST_TEST((::fcntl(listener, F_GETFD) & FD_CLOEXEC) != 0);
    BOOST_TEST((::fcntl(stream, F_GETFL) & O_NONBLOCK) == mode);
    const bool needsIt = loop->backend() == Backend::kEpoll;
    BOOST_TEST((::fcntl(listener, F_GETFL) & O_NONBLOCK) == (needsIt ? O_NONBLOCK : mode));
    loop->disconnectAll();
    loop.settle();
  }
}

BOOST_FIXTURE_TEST_CASE(a_null_protocol_and_an_empty_factory_are_refused, Adopting,
                        *precondition(onRealKernel)) {
  SocketPair pair;

  BOOST_CHECK_THROW(adoptStream(loop.reactor(), std::move(pair.near), nullptr),
                    std::invalid_argument);
  BOOST_CHECK_THROW(adoptListener(loop.reactor(), listening(), nullptr), std::invalid_argument);
}

BOOST_FIXTURE_TEST_CASE(a_null_protocol_makes_no_stream, Adopting) {
  OwnedFd fd = streamSocket(loop.reactor(), AF_INET);

  BOOST_CHECK_THROW(loop->openStream(std::move(fd), nullptr), std::invalid_argument);
}

// The kernel knows its peer no more.
BOOST_FIXTURE_TEST_CASE(a_stream_that_was_reset_is_adopted_by_who_knows_its_peer, Adopting,
                        *precondition(onRealKernel)) {
  const OwnedFd listener = listening();
  const SocketAddress to = addressOf(listener.get());
  OwnedFd theirs = connectRaw(to);
  const SocketAddress from = addressOf(theirs.get());
  OwnedFd ours(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  const linger immediately{1, 0};
  ::setsockopt(theirs.get(), SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
  theirs.reset();
  Address peer;
  server.onLost = [&](std::error_code) { peer = getPeer(server.transport()); };

  adoptStream(loop.reactor(), std::move(ours), server.makeProtocol(), from);
  loop.runUntil([&] { return server.lost; }, "the end");

  BOOST_TEST((peer == Address(from)));
}

BOOST_FIXTURE_TEST_CASE(a_listening_socket_is_no_stream, Adopting) {
  OwnedFd fd = listening();
  const std::string name = "adoptStream descriptor " + std::to_string(fd.get());

  const std::string complaint =
      complaintOf([&] { adoptStream(loop.reactor(), std::move(fd), server.makeProtocol()); });

  BOOST_TEST(complaint == name + ": it is listening");
  BOOST_TEST(!server.made());
}

BOOST_FIXTURE_TEST_CASE(a_connected_socket_is_no_listener, Adopting, *precondition(onRealKernel)) {
  SocketPair pair;
  const std::string name = "adoptListener descriptor " + std::to_string(pair.near.get());

  const std::string complaint =
      complaintOf([&] { adoptListener(loop.reactor(), std::move(pair.near), serving()); });

  BOOST_TEST(complaint == name + ": it is not listening");
}

BOOST_FIXTURE_TEST_CASE(a_datagram_socket_is_refused_and_closed, Adopting,
                        *precondition(onRealKernel)) {
  OwnedFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const int number = fd.get();

  const std::string complaint =
      complaintOf([&] { adoptListener(loop.reactor(), std::move(fd), serving()); });
  fd.reset();

  BOOST_TEST(complaint.ends_with(": it is not a stream socket"));
  BOOST_TEST(fcntl(number, F_GETFD) == -1);
}

BOOST_FIXTURE_TEST_CASE(what_is_no_socket_is_refused, Adopting, *precondition(onRealKernel)) {
  OwnedFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));

  std::error_code code;
  try {
    adoptListener(loop.reactor(), std::move(fd), serving());
  } catch (const std::system_error& error) {
    code = error.code();
  }

  BOOST_TEST(code == std::errc::not_a_socket);
}

BOOST_FIXTURE_TEST_CASE(a_socket_that_is_not_connected_is_refused, Adopting) {
  OwnedFd fd = streamSocket(loop.reactor(), AF_INET);

  std::error_code code;
  try {
    adoptStream(loop.reactor(), std::move(fd), server.makeProtocol());
  } catch (const std::system_error& error) {
    code = error.code();
  }

  BOOST_TEST(code == std::errc::not_connected);
}

BOOST_FIXTURE_TEST_CASE(a_listener_whose_socket_was_shut_down_stops_and_can_still_be_stopped,
                        Adopting, *precondition(onRealKernel)) {
  OwnedFd fd = listening();
  const OwnedFd other(::dup(fd.get()));
  Listener& listener = adoptListener(loop.reactor(), std::move(fd), serving());
  loop.settle();

  BOOST_TEST_REQUIRE(::shutdown(other.get(), SHUT_RDWR) == 0);
  loop.runUntil([&] { return !loop.logLines().empty(); }, "the log line");
  loop.settle();

  BOOST_TEST(loop.logLines().size() == 1);
  BOOST_TEST(listener.descriptor() >= 0);
  listener.stopListening();
  loop.settle();
}

BOOST_AUTO_TEST_SUITE_END()
