// The state table of the machine: registering, writing and draining.
#include <penstock/runtime/errors.h>
#include <penstock/tests/unit/consumer_mixin_machine.h>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <stdexcept>
#include <vector>

namespace penstock::testing {
namespace {

BOOST_AUTO_TEST_SUITE(consumer_mixin_test)

BOOST_FIXTURE_TEST_SUITE(registering, Connected)

BOOST_AUTO_TEST_CASE(a_streaming_producer_is_taken_to_be_running) {
  registerStreaming();

  checkCalls({});
  BOOST_TEST(machine.producer() == &producer);
  BOOST_TEST(machine.streamingProducer());
  BOOST_TEST(!machine.producerPaused());
}

BOOST_AUTO_TEST_CASE(a_pull_producer_is_asked_inside_the_registration) {
  producer.onResume = [&] { BOOST_TEST(machine.producer() == &producer); };

  registerPull();

  checkCalls({"resume"});
  BOOST_TEST(!machine.streamingProducer());
}

BOOST_AUTO_TEST_CASE(a_second_producer_is_refused_and_the_first_one_stays) {
  NotingProducer second(machine);
  registerStreaming();

  BOOST_CHECK_THROW(machine.registerProducer(second, Production::kPull), std::logic_error);

  checkCalls({});
  BOOST_TEST(machine.producer() == &producer);
  BOOST_TEST(machine.streamingProducer());
}

BOOST_AUTO_TEST_CASE(a_producer_may_register_before_the_connection_is_made) {
  Machine early(pool);
  NotingProducer puller(early);

  early.registerProducer(puller, Production::kPull);

  BOOST_TEST(early.producer() == &puller);
  BOOST_TEST(early.takeCalls() == Calls{"resume"});
}

BOOST_AUTO_TEST_CASE(a_producer_that_registers_with_a_lost_connection_is_stopped_at_once) {
  machine.connectionLost({});
  machine.takeCalls();

  registerStreaming();

  checkCalls({"stop"});
  BOOST_TEST(machine.producer() == nullptr);
}

BOOST_AUTO_TEST_CASE(a_new_producer_is_not_taken_to_be_paused_because_the_last_one_was) {
  registerStreaming();
  write(kMark + 1);
  machine.unregisterProducer();

  registerStreaming();

  BOOST_TEST(!machine.producerPaused());
  machine.takeCalls();
  drain();
  checkCalls({});
}

BOOST_AUTO_TEST_CASE(unregistering_without_a_producer_is_harmless) {
  machine.unregisterProducer();

  checkCalls({});
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(writing, Connected)

BOOST_AUTO_TEST_CASE(a_write_is_queued_and_asks_for_a_flush) {
  write(10);

  checkCalls({"startWriting"});
  BOOST_TEST(machine.bufferedBytes() == 10U);
}

BOOST_AUTO_TEST_CASE(a_streaming_producer_is_paused_above_the_mark_and_not_at_it) {
  registerStreaming();

  write(kMark);

  checkCalls({"startWriting"});
  write(1);
  checkCalls({"startWriting", "pause"});
  BOOST_TEST(machine.producerPaused());
}

BOOST_AUTO_TEST_CASE(a_paused_producer_is_not_paused_again_by_further_writes) {
  registerStreaming();
  write(kMark + 1);
  machine.takeCalls();

  write(kMark);

  checkCalls({"startWriting"});
}

BOOST_AUTO_TEST_CASE(a_pull_producer_is_never_paused) {
  registerPull();
  machine.takeCalls();

  write(3 * kMark);

  checkCalls({"startWriting"});
  BOOST_TEST(!machine.producerPaused());
}

BOOST_AUTO_TEST_CASE(a_sequence_is_one_write_and_tests_the_mark_once) {
  registerStreaming();
  const std::vector<std::byte> half = bytes(kMark);
  const std::array<Bytes, 3> parts{Bytes(half), Bytes(), Bytes(half)};

  machine.writeSequence(parts);

  checkCalls({"startWriting", "pause"});
  BOOST_TEST(machine.bufferedBytes() == 2 * kMark);
}

BOOST_AUTO_TEST_CASE(writing_nothing_does_nothing) {
  const std::array<Bytes, 2> empty{};

  machine.write(Bytes());
  machine.write(Buffer());
  machine.writeSequence({});
  machine.writeSequence(empty);

  checkCalls({});
}

BOOST_AUTO_TEST_CASE(a_buffer_counts_like_copied_bytes) {
  registerStreaming();

  machine.write(Buffer(bytes(kMark + 1)));

  checkCalls({"startWriting", "pause"});
  BOOST_TEST(machine.bufferedBytes() == kMark + 1);
}

BOOST_AUTO_TEST_CASE(nothing_is_taken_before_the_connection_is_made_or_after_it_is_lost) {
  Machine early(pool);

  early.write(Bytes(bytes(10)));
  machine.connectionLost({});
  machine.takeCalls();
  write(10);

  BOOST_TEST(early.bufferedBytes() == 0U);
  BOOST_TEST(machine.bufferedBytes() == 0U);
  checkCalls({});
}

BOOST_AUTO_TEST_CASE(an_exception_from_a_pause_reaches_the_writer_and_the_bytes_are_taken) {
  registerStreaming();
  producer.onPause = [] { throw std::runtime_error("no"); };

  BOOST_CHECK_THROW(write(kMark + 1), std::runtime_error);

  checkCalls({"startWriting", "pause"});
  BOOST_TEST(machine.bufferedBytes() == kMark + 1);
  BOOST_TEST(machine.producerPaused());
}

BOOST_AUTO_TEST_CASE(a_transport_may_be_full_of_something_else_than_bytes) {
  registerStreaming();
  machine.alsoFull = true;

  write(1);

  checkCalls({"startWriting", "pause"});
}

BOOST_AUTO_TEST_CASE(the_mark_can_be_set) {
  machine.setHighWaterMark(5);
  registerStreaming();

  write(5);

  checkCalls({"startWriting"});
  write(1);
  checkCalls({"startWriting", "pause"});
}

BOOST_AUTO_TEST_CASE(marks_that_make_no_sense_are_refused) {
  BOOST_CHECK_THROW(machine.setHighWaterMark(std::size_t{1} << 32), std::invalid_argument);
  BOOST_CHECK_THROW(machine.setLowWaterMark(kMark), std::invalid_argument);
  machine.setLowWaterMark(kMark - 1);
  BOOST_CHECK_THROW(machine.setHighWaterMark(kMark - 1), std::invalid_argument);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_FIXTURE_TEST_SUITE(draining, Connected)

BOOST_AUTO_TEST_CASE(a_paused_producer_is_resumed_when_all_is_gone_and_not_before) {
  registerStreaming();
  write(kMark + 1);
  machine.takeCalls();

  check(machine.wrote(kMark), AfterWrite::kWriteMore);

  checkCalls({});
  check(machine.wrote(1), AfterWrite::kIdle);
  checkCalls({"resume"});
  BOOST_TEST(!machine.producerPaused());
}

BOOST_AUTO_TEST_CASE(a_paused_producer_is_resumed_at_the_low_mark_where_there_is_one) {
  machine.setLowWaterMark(100);
  registerStreaming();
  write(kMark + 1);
  machine.takeCalls();

  check(machine.wrote(kMark + 1 - 101), AfterWrite::kWriteMore);

  checkCalls({});
  check(machine.wrote(1), AfterWrite::kWriteMore);
  checkCalls({"resume"});
}

BOOST_AUTO_TEST_CASE(a_running_producer_is_not_resumed) {
  registerStreaming();
  write(10);
  machine.takeCalls();

  check(drain(), AfterWrite::kIdle);

  checkCalls({});
}

BOOST_AUTO_TEST_CASE(the_producer_is_not_paused_any_more_while_it_is_resumed) {
  registerStreaming();
  write(kMark + 1);
  producer.onResume = [&] {
    BOOST_TEST(!machine.producerPaused());
    write(kMark + 1);
  };
  machine.takeCalls();

  drain();

  checkCalls({"resume", "startWriting", "pause"});
  BOOST_TEST(machine.producerPaused());
}

BOOST_AUTO_TEST_CASE(a_pull_producer_is_asked_once_for_each_drained_buffer) {
  producer.onResume = [&] { write(10); };
  registerPull();
  machine.takeCalls();

  check(machine.wrote(9), AfterWrite::kWriteMore);

  checkCalls({});
  check(machine.wrote(1), AfterWrite::kIdle);
  checkCalls({"resume", "startWriting"});
}

BOOST_AUTO_TEST_CASE(a_silent_pull_producer_is_not_asked_again_until_someone_writes) {
  registerPull();
  write(1);
  drain();
  machine.takeCalls();

  write(1);

  checkCalls({"startWriting"});
  drain();
  checkCalls({"resume"});
}

BOOST_AUTO_TEST_CASE(a_producer_that_ends_the_connection_while_it_is_resumed_leaves_nothing_to_do) {
  machine.setLowWaterMark(10);
  registerStreaming();
  write(kMark + 1);
  producer.onResume = [&] { machine.connectionLost(ConnectionError::kLost); };

  check(machine.wrote(kMark), AfterWrite::kIdle);

  BOOST_TEST(machine.disconnected());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace penstock::testing
