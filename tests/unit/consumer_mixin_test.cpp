// The state table of the producer/consumer machine, walked without a kernel, a loop or a socket.
#define BOOST_TEST_MODULE consumer_mixin
#include <penstock/runtime/buffer_pool.h>
#include <penstock/runtime/consumer_mixin.h>
#include <penstock/runtime/errors.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace penstock {
namespace {

constexpr std::size_t kMark = Transport::kHighWaterMark;

using Calls = std::vector<std::string>;

std::vector<std::byte> bytes(std::size_t count) { return std::vector<std::byte>(count); }

// The machine alone: what a family would have to do is written down instead.
class Machine final : public ConsumerMixin {
 public:
  using ConsumerMixin::aborting;
  using ConsumerMixin::AfterWrite;
  using ConsumerMixin::setConnected;
  using ConsumerMixin::wrote;

  explicit Machine(BufferPool& pool) : ConsumerMixin(pool) {}

  Calls takeCalls() { return std::exchange(calls_, {}); }
  void note(std::string call) { calls_.push_back(std::move(call)); }

  void connectionLost(std::error_code why) override {
    note(why ? "connectionLost" : "connectionLost cleanly");
    if (Producer* producer = setDisconnected()) producer->stopProducing();
  }

  int descriptor() const noexcept override { return -1; }
  Reactor& reactor() const noexcept override { std::terminate(); }
  std::unique_ptr<Protocol> replaceProtocol(std::unique_ptr<Protocol> next) noexcept override {
    return next;
  }

  // Stands for what else a transport may count, such as descriptors that wait to be passed.
  bool alsoFull = false;

 private:
  bool isSendBufferFull() const noexcept override {
    return alsoFull || ConsumerMixin::isSendBufferFull();
  }
  void startReading() override { note("startReading"); }
  void stopReading() override { note("stopReading"); }
  void startWriting() override { note("startWriting"); }
  void startAborting() override { note("startAborting"); }

  Calls calls_;
};

// Notes its calls at the machine, so that their order is seen, and does what a test hooks in.
class NotingProducer final : public Producer {
 public:
  explicit NotingProducer(Machine& machine) : machine_(machine) {}

  std::function<void()> onPause = [] {};
  std::function<void()> onResume = [] {};

  void pauseProducing() override {
    machine_.note("pause");
    onPause();
  }
  void resumeProducing() override {
    machine_.note("resume");
    onResume();
  }
  void stopProducing() override { machine_.note("stop"); }

 private:
  Machine& machine_;
};

struct Connected {
  Connected() { machine.setConnected(); }

  void write(std::size_t count) { machine.write(Bytes(bytes(count))); }
  Machine::AfterWrite drain() { return machine.wrote(machine.bufferedBytes()); }
  void registerStreaming() { machine.registerProducer(producer, Production::kStreaming); }
  void registerPull() { machine.registerProducer(producer, Production::kPull); }

  // Those since the last check.
  void checkCalls(const Calls& expected) {
    const Calls calls = machine.takeCalls();
    BOOST_TEST(calls == expected, boost::test_tools::per_element());
  }

  BufferPool pool;
  Machine machine{pool};
  NotingProducer producer{machine};
};

using AfterWrite = Machine::AfterWrite;

void check(AfterWrite found, AfterWrite expected) {
  BOOST_TEST(static_cast<int>(found) == static_cast<int>(expected));
}

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

// The rules of docs/backpressure.md once more, as short as they can be said, for producers that
// only listen. It says which calls a step makes and what is to be done after a write.
struct Model {
  enum Kind { kNone, kPull, kStreaming };

  bool disconnecting = false, disconnected = false;
  bool writeDisconnecting = false, writeDisconnected = false;
  Kind kind = kNone;
  bool paused = false;
  std::size_t buffered = 0;
  Calls calls;

  void write(std::size_t count) {
    if (disconnected || writeDisconnected || count == 0) return;
    buffered += count;
    calls.push_back("startWriting");
    if (kind == kStreaming && !paused && buffered > kMark) {
      paused = true;
      calls.push_back("pause");
    }
  }

  void registerProducer(Kind newKind) {
    if (disconnected) return calls.push_back("stop");
    kind = newKind;
    if (kind == kPull) calls.push_back("resume");
  }

  void unregister() {
    kind = kNone;
    paused = false;
    const bool due = disconnecting || (writeDisconnecting && !writeDisconnected);
    if (due && !disconnected) calls.push_back("startWriting");
  }

  AfterWrite wrote(std::size_t count) {
    buffered -= count;
    if (buffered > 0) return AfterWrite::kWriteMore;
    if (kind == kPull || paused) {
      paused = false;
      calls.push_back("resume");
      return AfterWrite::kIdle;
    }
    if (disconnecting) return kind == kNone ? AfterWrite::kClose : AfterWrite::kIdle;
    if (!writeDisconnecting || writeDisconnected) return AfterWrite::kIdle;
    writeDisconnected = true;
    return AfterWrite::kHalfClose;
  }

  void close() {
    if (disconnected || disconnecting) return;
    calls.push_back("stopReading");
    if (writeDisconnected) return lose("connectionLost cleanly");
    calls.push_back("startWriting");
    disconnecting = true;
  }

  void halfClose() {
    if (disconnected || writeDisconnected) return;
    writeDisconnecting = true;
    calls.push_back("startWriting");
  }

  void lose(const char* how) {
    calls.push_back(how);
    disconnected = true;
    if (kind != kNone) calls.push_back("stop");
    kind = kNone;
  }
};

// One random history; every step is done to the machine and to the model.
class History {
 public:
  explicit History(unsigned seed) : random_(seed) { machine_.setConnected(); }

  void run(int steps) {
    for (int i = 0; i < steps && !model_.disconnected; ++i) {
      step();
      compare();
    }
  }

 private:
  void step() {
    switch (upTo(9)) {
      case 0:
      case 1:
      case 2:
        return write();
      case 3:
      case 4:
      case 5:
        return send();
      case 6:
        return model_.kind == Model::kNone ? registerOne() : unregister();
      case 7:
        return upTo(3) == 0 ? unregister() : write();
      case 8:
        if (upTo(5) > 0) return send();
        machine_.loseWriteConnection();
        return model_.halfClose();
      default:
        if (upTo(9) > 0) return write();
        machine_.loseConnection();
        return model_.close();
    }
  }

  void write() {
    constexpr std::array<std::size_t, 6> kSizes{0, 1, 1000, kMark - 1, kMark, 100000};
    const std::size_t count = kSizes[upTo(kSizes.size() - 1)];
    machine_.write(Bytes(bytes(count)));
    model_.write(count);
  }

  // As a family would: nothing more is asked for once the answer was acted upon.
  void send() {
    const std::size_t count = upTo(2) == 0 ? upTo(model_.buffered) : model_.buffered;
    const AfterWrite found = machine_.wrote(count);
    const AfterWrite expected = model_.wrote(count);
    check(found, expected);
    if (expected != AfterWrite::kClose) return;
    machine_.connectionLost({});
    model_.lose("connectionLost cleanly");
  }

  void registerOne() {
    const bool streaming = upTo(1) == 0;
    machine_.registerProducer(producer_, streaming ? Production::kStreaming : Production::kPull);
    model_.registerProducer(streaming ? Model::kStreaming : Model::kPull);
  }

  void unregister() {
    machine_.unregisterProducer();
    model_.unregister();
  }

  void compare() {
    BOOST_TEST(machine_.takeCalls() == std::exchange(model_.calls, {}),
               boost::test_tools::per_element());
    BOOST_TEST(machine_.bufferedBytes() == model_.buffered);
    BOOST_TEST(machine_.producerPaused() == model_.paused);
    BOOST_TEST((machine_.producer() != nullptr) == (model_.kind != Model::kNone));
    BOOST_TEST(machine_.disconnecting() == model_.disconnecting);
    BOOST_TEST(machine_.disconnected() == model_.disconnected);
    BOOST_TEST(machine_.writeDisconnecting() == model_.writeDisconnecting);
    BOOST_TEST(machine_.writeDisconnected() == model_.writeDisconnected);
  }

  std::size_t upTo(std::size_t most) {
    return std::uniform_int_distribution<std::size_t>(0, most)(random_);
  }

  std::mt19937 random_;
  BufferPool pool_;
  Machine machine_{pool_};
  NotingProducer producer_{machine_};
  Model model_;
};

BOOST_AUTO_TEST_CASE(random_histories_go_as_the_model_says) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) { History(seed).run(60); }
  }
}

}  // namespace
}  // namespace penstock
