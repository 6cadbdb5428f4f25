// The ways a connection ends: close, half-close, abort, and what the peer does.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/pair.h>
#include <penstock/tests/support/pattern.h>
#include <penstock/tests/support/preconditions.h>

#include <sys/socket.h>
#include <boost/test/unit_test.hpp>

#include <array>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::test_tools::per_element;
using Events = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(closing_test)

namespace {

// Two ends that both may half-close.

}  // namespace

// --- Close --------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_close_ends_both_sides_cleanly) {
  for (const SocketFamily family : {SocketFamily::kTcp, SocketFamily::kUnix}) {
    ConnectedPair test(false, family);

    test.client.transport().loseConnection();
    BOOST_TEST(!test.client.lost);  // Never from inside the call.
    test.waitForBothEnds();

    BOOST_TEST(test.client.events == (Events{"made", "lost"}), per_element());
    BOOST_TEST(test.server.events == (Events{"made", "lost"}), per_element());
  }
}

BOOST_AUTO_TEST_CASE(a_close_first_flushes_a_mebibyte_to_a_slow_reader) {
  ConnectedPair test(false);
  const std::string mebibyte(1 << 20, 'm');
  test.server.onData = [&](Bytes) {  // Reads once a turn.
    test.server.transport().pauseProducing();
    test.loop->callSoon([&] {
      if (test.server.connected()) test.server.transport().resumeProducing();
    });
  };

  test.client.transport().write(asBytes(mebibyte));
  test.client.transport().loseConnection();
  test.waitForBothEnds();

  BOOST_TEST(test.server.received.size() == mebibyte.size());
  BOOST_TEST(test.client.why == std::error_code());
  BOOST_TEST(test.server.why == std::error_code());
}

BOOST_AUTO_TEST_CASE(both_sides_may_close_at_once) {
  ConnectedPair test(false);

  test.client.transport().loseConnection();
  test.server.transport().loseConnection();
  test.waitForBothEnds();

  BOOST_TEST(test.client.why == std::error_code());
  BOOST_TEST(test.server.why == std::error_code());
}

BOOST_AUTO_TEST_CASE(closing_twice_is_closing_once) {
  ConnectedPair test(false);

  for (int i = 0; i < 3; ++i) test.client.transport().loseConnection();
  test.waitForBothEnds();

  BOOST_TEST(test.client.events == (Events{"made", "lost"}), per_element());
}

BOOST_AUTO_TEST_CASE(what_is_written_between_a_close_and_its_end_is_sent) {
  ConnectedPair test(false);

  test.client.transport().write(asBytes("before"));
  test.client.transport().loseConnection();
  test.client.transport().write(asBytes(" and after"));
  test.waitForBothEnds();

  BOOST_TEST(test.server.received == "before and after");
}

BOOST_AUTO_TEST_CASE(what_is_written_and_closed_inside_connection_made_arrives) {
  const std::string much(300'000, 'm');
  const std::array<Bytes, 2> parts{asBytes(much), asBytes("two")};
  for (const bool byClient : {false, true}) {
    Recorder client, server;
    ReactorFixture loop;
    Recorder& writer = byClient ? client : server;
    Recorder& reader = byClient ? server : client;
    writer.onMade = [&](Transport& transport) {
      transport.write(asBytes("one"));
      transport.writeSequence(parts);
      transport.loseConnection();
    };

    loop.connect(client, server);
    loop.runUntil([&] { return client.lost && server.lost; }, "both ends to be lost");

    BOOST_TEST((reader.received == "one" + much + "two"));
    BOOST_TEST(writer.why == std::error_code());
    BOOST_TEST(reader.why == std::error_code());
  }
}

BOOST_AUTO_TEST_CASE(a_closing_side_reads_no_more) {
  ConnectedPair test(false);
  test.server.transport().pauseProducing();
  test.client.transport().write(asBytes(std::string(kMoreThanSmallBuffers, 'x')));

  test.client.transport().loseConnection();
  test.server.transport().write(asBytes("unheard"));
  test.loop.settle();
  BOOST_REQUIRE(!test.client.lost);           // The close waits.
  test.client.transport().resumeProducing();  // Of no use any more.
  test.loop.settle();
  test.server.transport().resumeProducing();
  test.waitForBothEnds();

  BOOST_TEST(!test.client.heard("data"));
}

BOOST_AUTO_TEST_CASE(a_protocol_that_is_not_half_closeable_is_lost_at_the_peers_end) {
  ConnectedPair test(false);

  test.client.transport().loseWriteConnection();
  test.waitForBothEnds();

  BOOST_TEST(test.server.events == (Events{"made", "lost"}), per_element());
  BOOST_TEST(!test.client.heard("writeLost"));
}

// --- Half-close ---------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_half_close_is_heard_once_on_both_sides_and_the_other_way_stays_open) {
  for (const SocketFamily family : {SocketFamily::kTcp, SocketFamily::kUnix}) {
    ConnectedPair test(true, family);

    test.client.transport().write(asBytes("question"));
    test.client.transport().loseWriteConnection();
    test.loop.runUntil([&] { return test.server.heard("readLost"); }, "the end of input");
    test.loop.settle();
    test.server.transport().write(asBytes("answer"));
    test.loop.runUntil([&] { return test.client.received == "answer"; }, "the answer");
    test.loop.settle();

    BOOST_TEST(test.client.events == (Events{"made", "writeLost", "data"}), per_element());
    BOOST_TEST(test.server.events == (Events{"made", "data", "readLost"}), per_element());
    BOOST_TEST(test.client.transport().writeDisconnected());
  }
}

BOOST_AUTO_TEST_CASE(half_closes_both_ways_leave_both_to_close) {
  ConnectedPair test;

  test.client.transport().loseWriteConnection();
  test.server.transport().loseWriteConnection();
  test.loop.runUntil([&] { return test.client.heard("readLost") && test.server.heard("readLost"); },
                     "both ends");
  test.loop.settle();
  BOOST_TEST(!test.client.lost);
  BOOST_TEST(!test.server.lost);
  test.client.transport().loseConnection();
  test.server.transport().loseConnection();
  test.waitForBothEnds();

  BOOST_TEST(test.client.why == std::error_code());
  BOOST_TEST(test.server.why == std::error_code());
}

BOOST_AUTO_TEST_CASE(a_close_after_a_half_close_is_over_inside_the_call) {
  ConnectedPair test;
  test.client.transport().loseWriteConnection();
  test.loop.runUntil([&] { return test.client.heard("writeLost"); }, "the half-close");

  test.client.transport().loseConnection();

  BOOST_TEST(test.client.lost);
  BOOST_TEST(test.client.why == std::error_code());
}

BOOST_AUTO_TEST_CASE(a_half_close_first_flushes_what_is_queued) {
  ConnectedPair test;
  const std::string mebibyte(1 << 20, 'm');

  test.client.transport().write(asBytes(mebibyte));
  test.client.transport().loseWriteConnection();
  test.loop.runUntil([&] { return test.server.heard("readLost"); }, "the end of input");

  BOOST_TEST(test.server.received.size() == mebibyte.size());
}

BOOST_AUTO_TEST_CASE(half_closing_twice_is_half_closing_once) {
  ConnectedPair test;

  test.client.transport().loseWriteConnection();
  test.client.transport().loseWriteConnection();
  test.loop.runUntil([&] { return test.server.heard("readLost"); }, "the end of input");
  test.client.transport().loseWriteConnection();
  test.loop.settle();

  BOOST_TEST(test.client.events == (Events{"made", "writeLost"}), per_element());
}

BOOST_AUTO_TEST_CASE(a_half_close_may_be_answered_by_one_and_closed_where_that_is_told) {
  for (const SocketFamily family : {SocketFamily::kTcp, SocketFamily::kUnix}) {
    ConnectedPair test(true, family);
    test.server.onReadLost = [&] { test.server.transport().loseWriteConnection(); };
    test.server.onWriteLost = [&] { test.server.transport().loseConnection(); };
    test.client.onReadLost = [&] { test.client.transport().loseConnection(); };

    test.client.transport().loseWriteConnection();
    test.waitForBothEnds();

    const Events client{"made", "writeLost", "readLost", "lost"};
    BOOST_TEST(test.client.events == client, per_element());
    const Events server{"made", "readLost", "writeLost", "lost"};
    BOOST_TEST(test.server.events == server, per_element());
  }
}

BOOST_AUTO_TEST_CASE(writes_after_a_half_close_are_ignored) {
  ConnectedPair test;
  test.client.transport().loseWriteConnection();
  test.loop.runUntil([&] { return test.client.heard("writeLost"); }, "the half-close");

  test.client.transport().write(asBytes("too late"));

  BOOST_TEST(test.client.transport().bufferedBytes() == 0U);
  test.loop.settle();
  BOOST_TEST(!test.server.heard("data"));
}

BOOST_AUTO_TEST_CASE(a_close_overtakes_a_half_close_that_still_waits) {
  ConnectedPair test;
  const std::string mebibyte(1 << 20, 'm');

  test.client.transport().write(asBytes(mebibyte));
  test.client.transport().loseWriteConnection();
  test.client.transport().loseConnection();
  test.server.onReadLost = [&] { test.server.transport().loseConnection(); };
  test.waitForBothEnds();

  BOOST_TEST(test.server.received.size() == mebibyte.size());
  BOOST_TEST(test.client.why == std::error_code());
}

BOOST_AUTO_TEST_CASE(the_end_of_input_is_heard_once_though_reading_is_resumed) {
  ConnectedPair test;
  test.client.transport().loseWriteConnection();
  test.loop.runUntil([&] { return test.server.heard("readLost"); }, "the end of input");

  for (int i = 0; i < 3; ++i) {
    test.server.transport().pauseProducing();
    test.server.transport().resumeProducing();
    test.loop.settle();
  }

  BOOST_TEST(test.server.events == (Events{"made", "readLost"}), per_element());
}

// --- Abort --------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_abort_is_reported_in_the_next_turn_and_resets_the_peer) {
  ConnectedPair test;

  test.client.transport().abortConnection();
  BOOST_TEST(!test.client.lost);
  test.waitForBothEnds();

  BOOST_TEST(test.client.why == ConnectionError::kAborted);
  BOOST_TEST(test.server.why == std::errc::connection_reset);
}

BOOST_AUTO_TEST_CASE(an_abort_drops_what_is_queued) {
  ConnectedPair test;
  test.server.transport().pauseProducing();
  test.client.transport().write(asBytes(std::string(kMoreThanSmallBuffers, 'x')));
  test.loop.settle();
  BOOST_TEST(test.client.transport().bufferedBytes() > 0U);

  test.client.transport().abortConnection();
  test.loop.runUntil([&] { return test.client.lost; }, "the abort");
  if (test.server.connected()) test.server.transport().resumeProducing();
  test.waitForBothEnds();

  BOOST_TEST(test.server.received.size() < kMoreThanSmallBuffers);
  BOOST_TEST(test.server.why);
}

BOOST_AUTO_TEST_CASE(nothing_is_delivered_after_an_abort) {
  ConnectedPair test;
  test.server.transport().write(asBytes("on its way"));
  test.loop.turn();

  const Events before = test.client.events;
  test.client.transport().abortConnection();
  test.client.transport().resumeProducing();
  test.client.transport().write(asBytes("dropped"));
  test.waitForBothEnds();

  Events expected = before;
  expected.push_back("lost: " + test.client.why.message());
  BOOST_TEST(test.client.events == expected, per_element());
  BOOST_TEST(test.server.received.empty());
}

BOOST_AUTO_TEST_CASE(an_abort_has_the_last_word_over_close_and_half_close) {
  ConnectedPair test;

  test.client.transport().loseWriteConnection();
  test.client.transport().loseConnection();
  test.client.transport().abortConnection();
  test.client.transport().loseConnection();
  test.client.transport().abortConnection();
  test.waitForBothEnds();

  BOOST_TEST(test.client.why == ConnectionError::kAborted);
}

BOOST_AUTO_TEST_CASE(an_abort_ends_a_close_that_waits_for_a_reader_that_never_reads) {
  ConnectedPair test(false);
  test.server.transport().pauseProducing();
  test.client.transport().write(asBytes(std::string(kMoreThanSmallBuffers, 'x')));
  test.client.transport().loseConnection();
  test.loop.settle();
  BOOST_REQUIRE(!test.client.lost);

  test.client.transport().abortConnection();
  test.loop.runUntil([&] { return test.client.lost; }, "the abort");

  BOOST_TEST(test.client.why == ConnectionError::kAborted);
}

BOOST_AUTO_TEST_CASE(an_abort_gives_the_descriptor_back_though_the_peer_never_reads,
                     *boost::unit_test::precondition(onRealKernel)) {
  Recorder server;
  ReactorFixture loop;
  const OwnedFd peer = loop.connectRawPeer(server, SocketFamily::kTcp, useSmallBuffers);
  loop.settle();
  const std::size_t before = openDescriptors();
  server.transport().write(asBytes(std::string(kMoreThanSmallBuffers, 'x')));
  loop.settle();
  BOOST_TEST(server.transport().bufferedBytes() > 0U);  // A send may be in flight.

  server.transport().abortConnection();
  loop.runUntil([&] { return openDescriptors() == before - 1; }, "the descriptor");

  BOOST_TEST(server.lost);
}

BOOST_AUTO_TEST_CASE(an_abort_does_not_wait_for_the_producer_but_stops_it) {
  ConnectedPair test;
  ScriptedProducer producer;
  test.client.transport().registerProducer(producer, Production::kStreaming);

  test.client.transport().abortConnection();
  test.loop.runUntil([&] { return test.client.lost; }, "the abort");

  BOOST_TEST(producer.events == Events{"stop"}, per_element());
}

BOOST_AUTO_TEST_SUITE_END()
