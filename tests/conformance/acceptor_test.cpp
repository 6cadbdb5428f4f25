// Listening sockets: accepting, refusing, stopping, and surviving when no descriptor is left.
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/transports/address.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <stdexcept>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(acceptor_test)

namespace {

// Makes a recorder for each connection that is accepted.
struct Servers {
  std::vector<std::unique_ptr<Recorder>> all;

  std::unique_ptr<Protocol> make() {
    all.push_back(std::make_unique<Recorder>());
    return all.back()->makeProtocol();
  }
  ProtocolFactory factory() {
    return [this] { return make(); };
  }
  std::size_t lost() const {
    std::size_t count = 0;
    for (const auto& server : all) count += server->lost;
    return count;
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(all_that_connect_at_once_are_accepted) {
  constexpr std::size_t kMany = 100;
  Servers servers;
  std::vector<std::unique_ptr<Recorder>> clients;
  ReactorFixture loop;
  const SocketAddress to = addressOf(loop.listen(servers.factory()).descriptor());

  for (std::size_t i = 0; i < kMany; ++i) {
    clients.push_back(std::make_unique<Recorder>());
    loop.connectTo(to, *clients.back(), SocketFamily::kTcp);
  }
  loop.runUntil([&] { return servers.all.size() == kMany; }, "100 accepts");
  loop.settle();
  for (const auto& client : clients) client->transport().loseConnection();
  loop.runUntil([&] { return servers.lost() == kMany; }, "the end of all");

  BOOST_TEST(servers.all.size() == kMany);
}

BOOST_AUTO_TEST_CASE(a_listener_accepts_again_after_a_quiet_time) {
  Servers servers;
  ReactorFixture loop;
  const SocketAddress to = addressOf(loop.listen(servers.factory()).descriptor());

  for (std::size_t round = 1; round <= 5; ++round) {
    Recorder client;
    loop.connectTo(to, client, SocketFamily::kTcp);
    loop.runUntil([&] { return servers.all.size() == round && client.made(); }, "the accept");
    loop.settle();
    client.transport().loseConnection();
    loop.runUntil([&] { return client.lost; }, "the end");
  }

  BOOST_TEST(servers.all.size() == 5U);
}

BOOST_AUTO_TEST_CASE(the_factory_is_told_the_address_of_who_has_connected) {
  Recorder client, server;
  ReactorFixture loop;
  SocketAddress told;
  Listener& listener = loop.listen([&](const SocketAddress& peer) {
    told = peer;
    return server.makeProtocol();
  });

  loop.connectTo(addressOf(listener.descriptor()), client, SocketFamily::kTcp);
  loop.runUntil([&] { return server.made() && client.made(); }, "the connection");

  BOOST_TEST((Address(told) == addressOf(client.transport().descriptor())));
}

BOOST_AUTO_TEST_CASE(an_empty_factory_is_refused) {
  ReactorFixture loop;

  BOOST_CHECK_THROW(loop.listen(ProtocolFactory()), std::invalid_argument);
  BOOST_CHECK_THROW(loop.listen(nullptr), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(a_null_protocol_refuses_the_connection) {
  Recorder refused;
  int calls = 0;
  ReactorFixture loop;
  Listener& listener = loop.listen([&] {
    ++calls;
    return nullptr;
  });

  loop.connectTo(addressOf(listener.descriptor()), refused, SocketFamily::kTcp);
  loop.runUntil([&] { return refused.lost; }, "the refusal");

  BOOST_TEST(calls == 1);
  BOOST_TEST(loop.logLines().empty());
}

BOOST_AUTO_TEST_CASE(a_stopped_listener_accepts_no_more_and_its_connections_live_on) {
  Servers servers;
  Recorder client;
  ReactorFixture loop;
  Listener& listener = loop.listen(servers.factory());
  const SocketAddress to = addressOf(listener.descriptor());
  loop.connectTo(to, client, SocketFamily::kTcp);
  loop.runUntil([&] { return servers.all.size() == 1 && client.made(); }, "the connection");

  listener.stopListening();
  loop.settle();
  std::error_code refusal;
  loop->openConnect(makeSocket(loop.reactor(), SocketFamily::kTcp), to.data(), to.length(),
                    [&](std::error_code why, OwnedFd) { refusal = why; });
  loop.runUntil([&] { return !!refusal; }, "the refusal");
  client.transport().write(asBytes("alive"));
  loop.runUntil([&] { return servers.all.front()->received == "alive"; }, "the bytes");

  BOOST_TEST(refusal == std::errc::connection_refused);
  BOOST_TEST(servers.all.size() == 1U);
}

BOOST_AUTO_TEST_CASE(two_listeners_do_not_mix_their_connections) {
  Recorder client, firstServer, secondServer;
  ReactorFixture loop;
  loop.listen([&] { return firstServer.makeProtocol(); });
  Listener& second = loop.listen([&] { return secondServer.makeProtocol(); });

  loop.connectTo(addressOf(second.descriptor()), client, SocketFamily::kTcp);
  loop.runUntil([&] { return secondServer.made() && client.made(); }, "the connection");

  BOOST_TEST(!firstServer.made());
}

BOOST_AUTO_TEST_CASE(a_listener_stopped_in_its_factory_accepts_none_of_those_that_wait) {
  constexpr std::size_t kMany = 8;
  Servers servers;
  std::vector<std::unique_ptr<Recorder>> clients;
  ReactorFixture loop;
  OwnedFd fd = makeListeningSocket(loop.reactor(), SocketFamily::kTcp);
  for (std::size_t i = 0; i < kMany; ++i) {
    clients.push_back(std::make_unique<Recorder>());
    loop.connectTo(addressOf(fd.get()), *clients.back(), SocketFamily::kTcp);
  }
  loop.runUntil([&] { return std::ranges::all_of(clients, [](auto& c) { return c->made(); }); },
                "all to wait for the accept");

  Listener* listener = nullptr;
  listener = &loop->openListener(std::move(fd), [&] {
    listener->stopListening();
    return servers.make();
  });
  const auto refused = [](const auto& client) { return client->lost; };
  loop.runUntil([&] { return std::ranges::count_if(clients, refused) == kMany - 1; },
                "the refusal of all but one");
  loop.settle();

  BOOST_TEST(servers.all.size() == 1U);
  BOOST_TEST(servers.lost() == 0U);
}

// An accept that repeats itself in the kernel has taken all of them before the loop hears of one.
BOOST_AUTO_TEST_CASE(a_crowd_that_waits_leaves_others_their_turn, *precondition(onRealKernel)) {
  if (testBackend().family != Backend::kEpoll) return;
  constexpr std::size_t kCrowd = 120;
  Servers servers;
  std::size_t acceptedBefore = 0;
  ReactorFixture loop;
  OwnedFd fd = makeListeningSocket(loop.reactor(), SocketFamily::kTcp);
  std::vector<OwnedFd> clients;
  for (std::size_t i = 0; i < kCrowd; ++i) clients.push_back(connectRaw(addressOf(fd.get())));

  ProtocolFactory factory = servers.factory();
  loop->openListener(std::move(fd), [&](const SocketAddress& peer) {
    if (servers.all.empty()) loop->callSoon([&] { acceptedBefore = servers.all.size(); });
    return factory(peer);
  });
  loop.runUntil([&] { return servers.all.size() == kCrowd; }, "all to be accepted");

  BOOST_TEST(acceptedBefore > 0U);
  BOOST_TEST(acceptedBefore < kCrowd);
}

// --- No descriptor left -------------------------------------------------------------------------

namespace {

// Leaves this process no descriptor to open, for the life of the object.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit few = before_;
    few.rlim_cur = 64;
    BOOST_REQUIRE_EQUAL(::setrlimit(RLIMIT_NOFILE, &few), 0);
  }
  ~NoDescriptors() {
    release();
    ::setrlimit(RLIMIT_NOFILE, &before_);
  }

  void exhaust() {
    for (;;) {
      OwnedFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
      if (!fd) break;
      taken_.push_back(std::move(fd));
    }
    BOOST_REQUIRE_EQUAL(errno, EMFILE);
  }
  void checkExhausted() const {
    const OwnedFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    BOOST_TEST(!fd);
    BOOST_TEST(errno == EMFILE);
  }
  void release() { taken_.clear(); }

 private:
  rlimit before_{};
  std::vector<OwnedFd> taken_;
};

// Client sockets made while there still are descriptors.
std::vector<OwnedFd> makeClients(std::size_t count, int domain = AF_INET) {
  std::vector<OwnedFd> clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.emplace_back(::socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0));
  }
  return clients;
}

bool isClosedByPeer(const OwnedFd& client) {
  char byte;
  const ssize_t count = ::recv(client.get(), &byte, 1, MSG_DONTWAIT);
  return count == 0 || (count < 0 && errno == ECONNRESET);
}

}  // namespace

// Each is told, not left waiting; one for each pause, in which the loop has nothing to do.
BOOST_AUTO_TEST_CASE(a_listener_survives_without_descriptors_cheaply_and_says_so_once,
                     *precondition(onRealKernel)) {
  constexpr int kClients = 4;
  for (const SocketFamily family : {SocketFamily::kTcp, SocketFamily::kUnix}) {
    NoDescriptors none;
    Servers servers;
    const int domain = family == SocketFamily::kTcp ? AF_INET : AF_UNIX;
    std::vector<OwnedFd> clients = makeClients(kClients + 1, domain);
    const OwnedFd late = std::move(clients.back());
    clients.pop_back();
    ReactorFixture loop;
    const SocketAddress to = addressOf(loop.listen(servers.factory(), family).descriptor());
    loop.turn(3);
    none.exhaust();

    int turns = 0;
    const TimePoint before = loop->now();
    for (const OwnedFd& client : clients) {
      BOOST_REQUIRE_EQUAL(::connect(client.get(), to.data(), to.length()), 0);
    }
    loop.runUntil([&] { return ++turns, std::ranges::all_of(clients, isClosedByPeer); },
                  "all to be told");

    BOOST_TEST(loop->now() - before >= (kClients - 1) * std::chrono::milliseconds(100));
    BOOST_TEST(turns < kClients * 20);
    BOOST_TEST(loop.logLines().size() == 1U);
    none.checkExhausted();  // What was given up to shed is taken back, not left to the program.

    none.release();
    const std::size_t accepted = servers.all.size();
    BOOST_REQUIRE_EQUAL(::connect(late.get(), to.data(), to.length()), 0);
    loop.runUntil([&] { return servers.all.size() > accepted && !servers.all.back()->lost; },
                  "an accept after there are descriptors again");
    BOOST_TEST(!isClosedByPeer(late));
  }
}

BOOST_AUTO_TEST_CASE(connections_live_on_while_no_descriptor_is_left, *precondition(onRealKernel)) {
  NoDescriptors none;
  Servers servers;
  Recorder client, server;
  ReactorFixture loop;
  const SocketAddress to = addressOf(loop.listen(servers.factory()).descriptor());
  loop.connect(client, server);
  std::vector<OwnedFd> clients = makeClients(1);
  none.exhaust();
  BOOST_REQUIRE_EQUAL(::connect(clients[0].get(), to.data(), to.length()), 0);

  client.transport().write(asBytes("alive"));
  loop.runUntil([&] { return server.received == "alive"; }, "the bytes");

  BOOST_TEST(!server.lost);
}

BOOST_AUTO_TEST_SUITE_END()
