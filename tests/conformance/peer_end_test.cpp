// The peer goes away: what is still heard of it, when, and what becomes of what is written to it.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/pair.h>
#include <penstock/tests/support/preconditions.h>

#include <sys/socket.h>
#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::test_tools::per_element;
using Events = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(peer_end_test)

namespace {

constexpr SocketFamily kFamilies[] = {SocketFamily::kTcp, SocketFamily::kUnix};

}  // namespace

BOOST_AUTO_TEST_CASE(a_reset_is_told_with_its_reason) {
  ConnectedPair test(true);

  test.server.transport().abortConnection();
  test.waitForBothEnds();

  BOOST_TEST(test.client.why == std::errc::connection_reset);
  BOOST_TEST(test.client.events.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_close_that_waits_hears_the_reset_of_a_peer_that_never_reads) {
  ConnectedPair test(false);
  test.server.transport().pauseProducing();
  test.client.transport().write(asBytes(std::string(kMoreThanSmallBuffers, 'x')));
  test.client.transport().loseConnection();
  test.loop.settle();
  BOOST_REQUIRE(!test.client.lost);
  BOOST_TEST(test.client.transport().bufferedBytes() > 0U);

  test.server.transport().abortConnection();
  test.waitForBothEnds();

  BOOST_TEST(test.client.why);
}

// Where no receive was in flight when the close began, the next write tells of it.
BOOST_AUTO_TEST_CASE(a_close_that_waits_for_its_producer_hears_a_reset) {
  ConnectedPair test(false);
  Transport& transport = test.server.transport();
  test.loop.settle();
  transport.registerProducer(test.producer, Production::kStreaming);
  transport.loseConnection();
  test.loop.settle();
  BOOST_TEST_REQUIRE(!test.server.lost);

  test.client.transport().abortConnection();
  test.loop.settle();
  const bool receives = testBackend().family == Backend::kEpoll || testBackend().name == "uring";
  if (receives) BOOST_TEST(test.server.lost);
  if (!test.server.lost) transport.write(asBytes("into the void"));
  test.waitForBothEnds();

  BOOST_TEST(test.server.why);
  BOOST_TEST(test.producer.count("stop") == 1);
}

BOOST_AUTO_TEST_CASE(what_the_peer_sent_before_its_end_is_delivered_before_the_end) {
  ConnectedPair test(false);
  const std::string words(200'000, 'w');

  test.client.transport().write(asBytes(words));
  test.client.transport().loseConnection();
  test.waitForBothEnds();

  BOOST_TEST(test.server.received.size() == words.size());
  BOOST_TEST(test.server.events == (Events{"made", "data", "lost"}), per_element());
}

// It has not heard of the end, because it reads nothing; its writes tell it.
BOOST_AUTO_TEST_CASE(a_paused_side_that_writes_to_a_peer_that_has_closed_is_lost_with_a_reason) {
  for (const SocketFamily family : kFamilies) {
    for (const Production production : {Production::kPull, Production::kStreaming}) {
      ConnectedPair test(false, family);
      Transport& transport = test.server.transport();
      transport.pauseProducing();
      test.client.transport().loseConnection();
      test.loop.runUntil([&] { return test.client.lost; }, "the clean close");
      test.loop.settle();
      BOOST_TEST(!test.server.lost);

      const auto write = [&] { transport.write(asBytes("into the void")); };
      if (production == Production::kPull) test.producer.onResume = write;
      transport.registerProducer(test.producer, production);
      test.loop.runUntil(
          [&] {
            const bool asked = production == Production::kPull;
            if (!asked && test.server.connected()) write();
            return test.server.lost;
          },
          "the loss");

      BOOST_TEST(test.server.why);
      BOOST_TEST(test.producer.count("stop") == 1);
      BOOST_TEST(test.server.events.size() == 2U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_half_close_towards_a_peer_that_has_closed_passes_silently) {
  for (const SocketFamily family : kFamilies) {
    ConnectedPair test(true, family);
    test.client.transport().loseConnection();
    test.loop.runUntil([&] { return test.server.heard("readLost"); }, "the end of input");

    test.server.transport().write(asBytes("too late"));
    test.server.transport().loseWriteConnection();
    test.loop.settle();
    if (test.server.connected()) test.server.transport().loseConnection();
    test.waitForBothEnds();

    BOOST_TEST(test.loop.logLines().empty());
    BOOST_TEST(test.client.why == std::error_code());
  }
}

namespace {

// A peer that is not Penstock sends its last words and is gone at once.
void sendAndGo(OwnedFd peer, bool reset) {
  BOOST_REQUIRE_EQUAL(::send(peer.get(), "bye", 3, 0), 3);
  const linger immediately{1, 0};
  if (reset) ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
}

enum class GoesAway { kBeforeTheAccept, kWhileWeRead, kAfterOtherBytes, kWhileWePause };

void checkEndIsHeard(GoesAway when, SocketFamily family, bool reset) {
  Recorder server;
  ReactorFixture loop;
  Listener& listener = loop.listen([&] { return server.makeProtocol(); }, family);
  loop.turn(3);
  OwnedFd peer = connectRaw(addressOf(listener.descriptor()));
  if (when != GoesAway::kBeforeTheAccept) {
    loop.runUntil([&] { return server.made(); }, "the accept");
  }
  if (when == GoesAway::kAfterOtherBytes) {
    BOOST_REQUIRE_EQUAL(::send(peer.get(), "hi ", 3, 0), 3);
    loop.runUntil([&] { return !server.received.empty(); }, "the first bytes");
  }
  if (when == GoesAway::kWhileWePause) server.transport().pauseProducing();
  loop.settle();

  sendAndGo(std::move(peer), reset);
  loop.settle();
  if (server.connected()) server.transport().resumeProducing();
  loop.runUntil([&] { return server.lost; }, "the end");

  const bool isReset = reset && family == SocketFamily::kTcp;
  BOOST_TEST((server.why == std::errc::connection_reset) == isReset);
  const bool mayBeDropped = isReset && when == GoesAway::kWhileWePause;
  if (!mayBeDropped) BOOST_TEST(server.received.substr(server.received.size() - 3) == "bye");
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_end_that_comes_with_the_last_bytes_is_heard_at_any_time,
                     *boost::unit_test::precondition(onRealKernel)) {
  for (const GoesAway when : {GoesAway::kBeforeTheAccept, GoesAway::kWhileWeRead,
                              GoesAway::kAfterOtherBytes, GoesAway::kWhileWePause}) {
    for (const SocketFamily family : {SocketFamily::kTcp, SocketFamily::kUnix}) {
      for (const bool reset : {false, true}) {
        BOOST_TEST_CONTEXT("case " << static_cast<int>(when) << ", family "
                                   << static_cast<int>(family) << ", reset " << reset) {
          checkEndIsHeard(when, family, reset);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
