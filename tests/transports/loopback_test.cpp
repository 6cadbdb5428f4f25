// The pair joined in memory: the same machine and the same endings as sockets.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/scripted_producer.h>
#include <penstock/transports/address.h>
#include <penstock/transports/loopback.h>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(loopback_test)

namespace {

using Events = std::vector<std::string>;

struct Joined {
  Recorder one, other;
  ScriptedProducer producer;
  ReactorFixture loop;

  void join() { loopbackPair(loop.reactor(), one.makeProtocol(), other.makeProtocol()); }
};

const std::error_code kReset = std::make_error_code(std::errc::connection_reset);
const std::error_code kBrokenPipe = std::make_error_code(std::errc::broken_pipe);

}  // namespace

BOOST_FIXTURE_TEST_CASE(both_are_made_before_the_call_returns, Joined) {
  const auto pair = loopbackPair(loop.reactor(), one.makeProtocol(), other.makeProtocol());

  BOOST_TEST(one.events == Events{"made"});
  BOOST_TEST(other.events == Events{"made"});
  BOOST_TEST(&pair.first == &one.transport());
  BOOST_TEST(&pair.second == &other.transport());
  BOOST_TEST(pair.first.connected());
}

BOOST_FIXTURE_TEST_CASE(bytes_go_both_ways_and_never_from_inside_write, Joined) {
  join();

  one.transport().write(asBytes("there"));
  other.transport().write(asBytes("back"));

  BOOST_TEST(one.received.empty());
  BOOST_TEST(other.received.empty());
  loop.settle();
  BOOST_TEST(other.received == "there");
  BOOST_TEST(one.received == "back");
  BOOST_TEST(one.transport().bufferedBytes() == 0);
}

BOOST_FIXTURE_TEST_CASE(what_is_written_in_connectionMade_arrives, Joined) {
  one.onMade = [](Transport& transport) { transport.write(asBytes("first")); };
  other.onMade = [](Transport& transport) { transport.write(asBytes("second")); };

  join();
  loop.settle();

  BOOST_TEST(other.received == "first");
  BOOST_TEST(one.received == "second");
}

BOOST_FIXTURE_TEST_CASE(an_echo_from_inside_dataReceived_comes_back, Joined) {
  other.onData = [this](Bytes bytes) { other.transport().write(bytes); };
  join();
  const std::string text(300'000, 'x');

  one.transport().write(asBytes(text));
  loop.runUntil([&] { return one.received.size() >= text.size(); }, "the echo");

  BOOST_TEST((one.received == text));
}

BOOST_FIXTURE_TEST_CASE(a_paused_reader_leaves_the_bytes_with_the_writer_and_pauses_its_producer,
                        Joined) {
  join();
  one.transport().registerProducer(producer, Production::kStreaming);
  other.transport().pauseProducing();

  one.transport().write(asBytes(std::string(65537, 'x')));
  loop.settle();

  BOOST_TEST(producer.events == Events{"pause"});
  BOOST_TEST(one.transport().bufferedBytes() == 65537);
  BOOST_TEST(other.received.empty());
  other.transport().resumeProducing();
  loop.settle();
  BOOST_TEST(producer.events == (Events{"pause", "resume"}));
  BOOST_TEST(other.received.size() == 65537);
}

BOOST_FIXTURE_TEST_CASE(a_reader_that_pauses_in_dataReceived_gets_no_more, Joined) {
  other.onData = [this](Bytes) { other.transport().pauseProducing(); };
  join();
  const std::size_t total = 1'000'000;
  one.transport().write(asBytes(std::string(total, 'x')));
  loop.settle();

  const std::size_t before = other.received.size();
  BOOST_TEST(before > 0);
  BOOST_TEST(before + one.transport().bufferedBytes() == total);
  other.onData = nullptr;
  other.transport().resumeProducing();
  loop.runUntil([&] { return other.received.size() == total; }, "the rest");
}

BOOST_FIXTURE_TEST_CASE(a_pull_producer_is_asked_once_per_drain, Joined) {
  join();
  int portions = 0;
  producer.onResume = [&] {
    if (++portions <= 5) return one.transport().write(asBytes("x"));
    one.transport().unregisterProducer();
  };

  one.transport().registerProducer(producer, Production::kPull);
  loop.settle();

  BOOST_TEST(other.received == "xxxxx");
  BOOST_TEST(portions == 6);
}

BOOST_FIXTURE_TEST_CASE(many_bytes_do_not_keep_others_from_their_turn, Joined) {
  join();
  one.transport().write(asBytes(std::string(1 << 20, 'x')));

  loop.turn();

  BOOST_TEST(other.received.size() > 0);
  BOOST_TEST(other.received.size() < 1 << 20);
}

BOOST_FIXTURE_TEST_CASE(closing_delivers_what_was_written_and_ends_both_cleanly, Joined) {
  join();

  one.transport().write(asBytes("last words"));
  one.transport().loseConnection();
  loop.settle();

  BOOST_TEST(other.events == (Events{"made", "data", "lost"}));
  BOOST_TEST(other.received == "last words");
  BOOST_TEST(one.events == (Events{"made", "lost"}));
}

BOOST_FIXTURE_TEST_CASE(half_closing_leaves_the_other_direction_open, Joined) {
  one.halfCloseable = other.halfCloseable = true;
  join();

  one.transport().write(asBytes("question"));
  one.transport().loseWriteConnection();
  loop.settle();
  other.transport().write(asBytes("answer"));
  loop.settle();

  BOOST_TEST(other.events == (Events{"made", "data", "readLost"}));
  BOOST_TEST(one.events == (Events{"made", "writeLost", "data"}));
  other.transport().loseConnection();
  loop.settle();
  BOOST_TEST(other.events.back() == "lost");
  BOOST_TEST(one.events.back() == "readLost");
  one.transport().loseConnection();
  BOOST_TEST(one.events.back() == "lost");
}

BOOST_FIXTURE_TEST_CASE(an_end_waits_while_reading_is_paused, Joined) {
  join();
  other.transport().pauseProducing();

  one.transport().loseConnection();
  loop.settle();

  BOOST_TEST(one.lost);
  BOOST_TEST(!other.lost);
  other.transport().resumeProducing();
  loop.settle();
  BOOST_TEST(other.events == (Events{"made", "lost"}));
}

BOOST_FIXTURE_TEST_CASE(an_abort_drops_what_was_written_and_resets_the_other_even_if_paused,
                        Joined) {
  join();
  other.transport().pauseProducing();
  one.transport().write(asBytes("never seen"));

  one.transport().abortConnection();

  BOOST_TEST(!one.lost);
  loop.settle();
  BOOST_TEST(one.why == ConnectionError::kAborted);
  BOOST_TEST(other.why == kReset);
  BOOST_TEST(other.received.empty());
}

BOOST_FIXTURE_TEST_CASE(writing_to_a_side_that_is_gone_is_a_broken_pipe, Joined) {
  other.halfCloseable = true;
  join();
  one.transport().loseConnection();
  loop.settle();
  BOOST_TEST(other.events.back() == "readLost");

  other.transport().write(asBytes("hello?"));
  loop.settle();

  BOOST_TEST(other.why == kBrokenPipe);
}

BOOST_FIXTURE_TEST_CASE(bytes_for_a_side_that_is_closing_are_dropped, Joined) {
  join();
  one.transport().pauseProducing();
  other.transport().pauseProducing();
  one.transport().write(asBytes("x"));
  other.transport().write(asBytes("y"));
  loop.settle();

  one.transport().loseConnection();
  other.transport().loseConnection();
  loop.settle();

  BOOST_TEST(one.events == (Events{"made", "lost"}));
  BOOST_TEST(other.events == (Events{"made", "lost"}));
}

BOOST_FIXTURE_TEST_CASE(bytes_for_a_side_whose_close_waits_are_dropped_at_once, Joined) {
  join();
  other.transport().pauseProducing();
  one.transport().write(asBytes("unheard"));
  other.transport().registerProducer(producer, Production::kStreaming);
  loop.settle();
  BOOST_TEST(one.transport().bufferedBytes() > 0U);

  other.transport().loseConnection();
  loop.runUntil([this] { return one.transport().bufferedBytes() == 0; }, "nothing to wait");

  BOOST_TEST(!other.lost);
  other.transport().unregisterProducer();
  loop.runUntil([this] { return one.lost && other.lost; }, "the close");
  BOOST_TEST(!other.heard("data"));
}

BOOST_FIXTURE_TEST_CASE(both_may_abort_at_once, Joined) {
  join();

  one.transport().abortConnection();
  other.transport().abortConnection();
  loop.settle();

  BOOST_TEST(one.lost);
  BOOST_TEST(other.lost);
}

BOOST_FIXTURE_TEST_CASE(closing_the_writer_from_inside_the_readers_dataReceived_is_safe, Joined) {
  other.onData = [this](Bytes) {
    if (one.connected()) one.transport().abortConnection();
  };
  join();
  one.transport().write(asBytes(std::string(200'000, 'x')));

  loop.settle();

  BOOST_TEST(one.why == ConnectionError::kAborted);
  BOOST_TEST(other.why == kReset);
  BOOST_TEST(other.received.size() < 200'000);
}

BOOST_FIXTURE_TEST_CASE(an_exception_in_dataReceived_ends_both, Joined) {
  other.onData = [](Bytes) { throw std::runtime_error("on purpose"); };
  join();

  one.transport().write(asBytes("x"));
  loop.settle();

  BOOST_TEST(other.why == ConnectionError::kProtocolFailed);
  BOOST_TEST(one.events == (Events{"made", "lost"}));
  BOOST_TEST(loop.logLines().size() == 1);
}

BOOST_FIXTURE_TEST_CASE(an_exception_in_the_first_connectionMade_leaves_the_second_an_end, Joined) {
  one.onMade = [](Transport&) { throw std::runtime_error("on purpose"); };

  join();
  loop.settle();

  BOOST_TEST(one.why == ConnectionError::kProtocolFailed);
  BOOST_TEST(other.events == (Events{"made", "lost"}));
}

BOOST_FIXTURE_TEST_CASE(a_write_before_the_peers_clean_end_was_told_still_ends_cleanly, Joined) {
  other.onData = [this](Bytes bytes) { other.transport().write(bytes); };
  join();

  one.transport().write(asBytes("x"));
  one.transport().loseConnection();
  loop.settle();

  BOOST_TEST(other.events == (Events{"made", "data", "lost"}));
}

BOOST_FIXTURE_TEST_CASE(the_end_of_the_reactor_ends_both, Joined) {
  join();
  one.transport().write(asBytes("x"));

  loop.destroy();

  BOOST_TEST(one.why == ConnectionError::kLost);
  BOOST_TEST(other.lost);
}

BOOST_FIXTURE_TEST_CASE(there_is_no_descriptor_and_no_address, Joined) {
  join();

  BOOST_TEST(one.transport().descriptor() == -1);
  BOOST_CHECK_THROW(getHost(one.transport()), std::logic_error);
  BOOST_CHECK_THROW(getPeer(one.transport()), std::logic_error);
}

BOOST_AUTO_TEST_SUITE_END()
