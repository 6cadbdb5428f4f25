// Descriptors of which somebody else holds a copy: the description lives on when we have closed
// ours.
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(copies_test)

namespace {

// A connection to a peer that is not Penstock, and a copy of our side's descriptor.
struct Shared {
  Recorder server;
  ReactorFixture loop;
  OwnedFd peer;
  OwnedFd copy;

  explicit Shared(SocketFamily family) {
    peer = loop.connectRawPeer(server, family);
    copy.reset(::fcntl(server.transport().descriptor(), F_DUPFD_CLOEXEC, 0));
  }

  // What the peer's next read gives, once it gives anything: 0 for the end, -errno.
  ssize_t nextRead() {
    pollfd entry{peer.get(), POLLIN, 0};
    loop.pollUntil([&] { return ::poll(&entry, 1, 0) > 0; }, "the peer to hear of the end");
    char byte;
    const ssize_t got = ::recv(peer.get(), &byte, 1, MSG_DONTWAIT);
    return got < 0 ? -errno : got;
  }

  void awaitLoss() {
    loop.runUntil([&] { return server.lost; }, "the connection to be lost");
  }
};

constexpr SocketFamily kFamilies[] = {SocketFamily::kTcp, SocketFamily::kUnix};

}  // namespace

BOOST_AUTO_TEST_SUITE(a_connection_with_a_copy, *boost::unit_test::precondition(onRealKernel))

BOOST_AUTO_TEST_CASE(ends_for_its_peer_when_it_closes) {
  for (const SocketFamily family : kFamilies) {
    Shared test(family);

    test.server.transport().loseConnection();
    test.awaitLoss();

    BOOST_TEST(test.nextRead() == 0);
  }
}

BOOST_AUTO_TEST_CASE(is_reset_for_its_peer_when_it_aborts) {
  Shared test(SocketFamily::kTcp);

  test.server.transport().abortConnection();
  test.awaitLoss();

  BOOST_TEST(test.nextRead() == -ECONNRESET);
}

BOOST_AUTO_TEST_CASE(is_reset_for_its_peer_when_it_is_lost_with_bytes_unsent) {
  Shared test(SocketFamily::kTcp);

  test.server.transport().write(Buffer(std::string(64 << 20, 'x')));
  test.loop.turn(2);
  test.loop.destroy();

  std::string into(1 << 20, '\0');
  ssize_t got;
  do {
    got = ::recv(test.peer.get(), into.data(), into.size(), 0);
  } while (got > 0);
  BOOST_TEST(got == -1);
  BOOST_TEST(errno == ECONNRESET);
}

BOOST_AUTO_TEST_CASE(leaves_nothing_behind_that_wakes_the_loop) {
  for (const SocketFamily family : kFamilies) {
    Shared test(family);
    test.server.transport().loseConnection();
    test.awaitLoss();

    ::shutdown(test.copy.get(), SHUT_RDWR);
    static_cast<void>(::send(test.peer.get(), "x", 1, MSG_NOSIGNAL));
    test.loop.turn();
    pollfd entry{test.loop->pollDescriptor(), POLLIN, 0};
    test.loop.turn(3);

    BOOST_TEST(::poll(&entry, 1, 0) == 0);
  }
}

// fcntl(2): O_NONBLOCK is of the description. Whoever holds the copy may change it at any time.
BOOST_AUTO_TEST_CASE(goes_on_whatever_the_copy_does_to_its_mode) {
  for (const SocketFamily family : kFamilies) {
    Shared test(family);
    for (const bool nonBlocking : {true, false, true}) {
      const int flags = ::fcntl(test.copy.get(), F_GETFL);
      ::fcntl(test.copy.get(), F_SETFL, nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
      const std::size_t before = test.server.received.size();

      BOOST_REQUIRE(::send(test.peer.get(), "request", 7, MSG_NOSIGNAL) == 7);
      test.loop.runUntil([&] { return test.server.received.size() == before + 7; }, "the bytes");
      test.loop.turn(2);  // Nothing more is there, and the loop must not wait for it.
      test.server.transport().write(std::string(100'000, 'a'));
      std::string into(100'000, '\0');
      std::size_t got = 0;
      test.loop.pollUntil(
          [&] {
            const ssize_t n = ::recv(test.peer.get(), into.data(), into.size(), MSG_DONTWAIT);
            if (n > 0) got += static_cast<std::size_t>(n);
            return got == into.size();
          },
          "the answer");
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()
