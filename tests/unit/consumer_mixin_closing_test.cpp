// The state table of the machine: closing, half-closing, reading and aborting.
#include <penstock/runtime/errors.h>
#include <penstock/tests/unit/consumer_mixin_machine.h>

#include <boost/test/unit_test.hpp>

namespace penstock::testing {
namespace {

BOOST_AUTO_TEST_SUITE(consumer_mixin_closing_test)

BOOST_FIXTURE_TEST_SUITE(closing, Connected)

BOOST_AUTO_TEST_CASE(closing_waits_until_all_is_written) {
  write(10);
  machine.takeCalls();

  machine.loseConnection();

  checkCalls({"stopReading", "startWriting"});
  check(machine.wrote(9), AfterWrite::kWriteMore);
  check(machine.wrote(1), AfterWrite::kClose);
}

BOOST_AUTO_TEST_CASE(closing_with_nothing_queued_takes_one_flush) {
  machine.loseConnection();

  checkCalls({"stopReading", "startWriting"});
  check(machine.wrote(0), AfterWrite::kClose);
}

BOOST_AUTO_TEST_CASE(closing_waits_for_the_registered_producer) {
  for (const Production production : {Production::kStreaming, Production::kPull}) {
    Connected fresh;
    fresh.machine.registerProducer(fresh.producer, production);
    fresh.machine.loseConnection();
    check(fresh.drain(), AfterWrite::kIdle);
    fresh.machine.takeCalls();

    fresh.machine.unregisterProducer();

    fresh.checkCalls({"startWriting"});
    check(fresh.drain(), AfterWrite::kClose);
  }
}

BOOST_AUTO_TEST_CASE(a_paused_producer_goes_on_while_a_close_is_pending) {
  registerStreaming();
  write(kMark + 1);
  machine.loseConnection();
  machine.takeCalls();

  check(drain(), AfterWrite::kIdle);

  checkCalls({"resume"});
  check(drain(), AfterWrite::kIdle);
  checkCalls({});
}

BOOST_AUTO_TEST_CASE(writes_are_taken_until_the_close_is_carried_out) {
  machine.loseConnection();

  write(10);

  BOOST_TEST(machine.bufferedBytes() == 10U);
  check(drain(), AfterWrite::kClose);
}

BOOST_AUTO_TEST_CASE(closing_twice_is_closing_once) {
  machine.loseConnection();
  machine.takeCalls();

  machine.loseConnection();
  machine.stopProducing();

  checkCalls({});
}

BOOST_AUTO_TEST_CASE(closing_before_the_connection_is_made_does_nothing) {
  Machine early(pool);

  early.loseConnection();
  early.loseWriteConnection();

  BOOST_TEST(early.takeCalls().empty());
  BOOST_TEST(!early.disconnecting());
  BOOST_TEST(!early.writeDisconnecting());
}

BOOST_AUTO_TEST_CASE(a_half_close_waits_until_all_is_written_and_is_carried_out_once) {
  write(10);
  machine.takeCalls();

  machine.loseWriteConnection();

  checkCalls({"startWriting"});
  check(machine.wrote(5), AfterWrite::kWriteMore);
  check(machine.wrote(5), AfterWrite::kHalfClose);
  BOOST_TEST(machine.writeDisconnected());
  check(machine.wrote(0), AfterWrite::kIdle);
}

BOOST_AUTO_TEST_CASE(asking_for_a_half_close_again_is_harmless_and_ignored_once_it_is_done) {
  machine.loseWriteConnection();
  machine.takeCalls();

  machine.loseWriteConnection();

  checkCalls({"startWriting"});
  check(drain(), AfterWrite::kHalfClose);
  machine.loseWriteConnection();
  checkCalls({});
}

BOOST_AUTO_TEST_CASE(a_half_close_proceeds_when_a_paused_producer_unregisters) {
  registerStreaming();
  write(kMark + 1);
  machine.loseWriteConnection();
  producer.onResume = [] {};
  check(drain(), AfterWrite::kIdle);
  machine.takeCalls();

  machine.unregisterProducer();

  checkCalls({"startWriting"});
  check(drain(), AfterWrite::kHalfClose);
}

BOOST_AUTO_TEST_CASE(nothing_is_taken_after_a_half_close) {
  machine.loseWriteConnection();
  drain();
  machine.takeCalls();

  write(10);

  checkCalls({});
  BOOST_TEST(machine.bufferedBytes() == 0U);
}

BOOST_AUTO_TEST_CASE(closing_after_a_half_close_is_at_once_and_clean) {
  machine.loseWriteConnection();
  drain();
  machine.takeCalls();

  machine.loseConnection();

  checkCalls({"stopReading", "connectionLost cleanly"});
}

BOOST_AUTO_TEST_CASE(a_close_overtakes_a_half_close_that_was_not_carried_out) {
  machine.loseWriteConnection();
  machine.loseConnection();

  check(drain(), AfterWrite::kClose);
}

BOOST_AUTO_TEST_CASE(stopConsuming_unregisters_and_closes) {
  registerStreaming();

  machine.stopConsuming();

  BOOST_TEST(machine.producer() == nullptr);
  checkCalls({"stopReading", "startWriting"});
  check(drain(), AfterWrite::kClose);
}

BOOST_AUTO_TEST_CASE(a_lost_connection_stops_its_producer_once_and_takes_no_more) {
  registerStreaming();

  machine.connectionLost(ConnectionError::kLost);

  checkCalls({"connectionLost", "stop"});
  BOOST_TEST(!machine.connected());
  BOOST_TEST(machine.disconnected());
  BOOST_TEST(machine.producer() == nullptr);
  machine.loseConnection();
  machine.loseWriteConnection();
  machine.abortConnection();
  machine.unregisterProducer();
  machine.pauseProducing();
  machine.resumeProducing();
  checkCalls({});
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(reading, Connected)

BOOST_AUTO_TEST_CASE(pausing_and_resuming_stop_and_start_reading) {
  machine.pauseProducing();
  machine.resumeProducing();

  checkCalls({"stopReading", "startReading"});
}

BOOST_AUTO_TEST_CASE(reading_does_not_start_again_while_a_close_is_pending) {
  machine.loseConnection();
  machine.takeCalls();

  machine.resumeProducing();

  checkCalls({});
}

BOOST_AUTO_TEST_CASE(reading_is_not_touched_before_the_connection_is_made) {
  Machine early(pool);

  early.pauseProducing();
  early.resumeProducing();

  BOOST_TEST(early.takeCalls().empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(aborting, Connected)

BOOST_AUTO_TEST_CASE(an_abort_is_asked_for_once) {
  machine.abortConnection();

  machine.abortConnection();

  checkCalls({"stopReading", "startAborting"});
  BOOST_TEST(machine.aborting());
}

BOOST_AUTO_TEST_CASE(nothing_is_resumed_or_closed_between_an_abort_and_its_turn) {
  registerStreaming();
  write(kMark + 1);
  machine.loseConnection();
  machine.abortConnection();
  machine.takeCalls();

  check(drain(), AfterWrite::kIdle);

  checkCalls({});
  machine.unregisterProducer();
  check(drain(), AfterWrite::kIdle);
}

BOOST_AUTO_TEST_CASE(the_low_mark_resumes_nothing_between_an_abort_and_its_turn) {
  machine.setLowWaterMark(kMark - 1);
  registerStreaming();
  write(kMark + 1);
  machine.abortConnection();
  machine.takeCalls();

  machine.wrote(2);

  checkCalls({});
  BOOST_TEST(machine.producerPaused());
  machine.unregisterProducer();
}

BOOST_AUTO_TEST_CASE(closing_between_an_abort_and_its_turn_does_not_end_the_connection) {
  machine.loseWriteConnection();
  drain();
  machine.abortConnection();
  machine.takeCalls();

  machine.loseConnection();

  checkCalls({"stopReading", "startWriting"});
  BOOST_TEST(machine.connected());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace penstock::testing
