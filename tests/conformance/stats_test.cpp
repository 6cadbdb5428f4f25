// stats(): what a loop has done, counted as it happens, and what it has waiting.
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/transports/relay.h>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(stats_test)

BOOST_AUTO_TEST_CASE(bytes_are_counted_once_in_each_direction) {
  const std::string text(300'000, 'x');
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server);
  const Stats before = loop->stats();

  client.transport().write(text);
  loop.runUntil([&] { return server.received.size() == text.size(); }, "all bytes");
  server.transport().write("answer");
  loop.runUntil([&] { return client.received.size() == 6; }, "the answer");

  const Stats after = loop->stats();
  BOOST_TEST(after.bytesOut - before.bytesOut == text.size() + 6);
  BOOST_TEST(after.bytesIn - before.bytesIn == text.size() + 6);
  BOOST_TEST(after.turns > before.turns);
  BOOST_TEST(after.events > before.events);
}

BOOST_AUTO_TEST_CASE(bytes_that_are_relayed_are_counted_however_they_move) {
  const std::string text(1'000'000, 'x');
  Recorder source, relayedFrom, relayedTo, sink;
  ReactorFixture loop;
  loop.connect(source, relayedFrom);
  loop.connect(relayedTo, sink);
  relay(relayedFrom.transport(), relayedTo.transport());
  const Stats before = loop->stats();

  source.transport().write(text);
  loop.runUntil([&] { return sink.received.size() == text.size(); }, "all bytes");

  const Stats after = loop->stats();
  BOOST_TEST(after.bytesOut - before.bytesOut == 2 * text.size());
  BOOST_TEST(after.bytesIn - before.bytesIn == 2 * text.size());
}

BOOST_AUTO_TEST_CASE(what_is_open_is_counted_until_it_is_over) {
  Recorder client, server;
  ReactorFixture loop;
  const Stats before = loop->stats();
  loop.connect(client, server);
  loop.settle();
  const Stats during = loop->stats();

  client.transport().abortConnection();
  loop.runUntil([&] { return client.lost && server.lost; }, "both to be lost");
  loop.settle();

  const Stats after = loop->stats();
  BOOST_TEST(during.open == before.open + 2);
  BOOST_TEST(during.accepted == before.accepted + 1);
  BOOST_TEST(after.open == before.open);
  BOOST_TEST(after.ending == 0U);
  BOOST_TEST(after.acceptsShed == 0U);
}

BOOST_AUTO_TEST_CASE(what_waits_to_be_written_is_seen_and_an_idle_loop_has_nothing_waiting) {
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server);
  loop.settle();
  BOOST_TEST(loop->stats().writing == 0U);

  client.transport().write("soon");
  BOOST_TEST(loop->stats().writing == 1U);

  loop.settle();
  const Stats idle = loop->stats();
  BOOST_TEST(idle.writing == 0U);
  BOOST_TEST(idle.deferred == 0U);
  BOOST_TEST(idle.starved == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
