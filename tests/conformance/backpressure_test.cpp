// Producers and consumers: who is paused, resumed and stopped, and when.
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/pattern.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/scripted_producer.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::test_tools::per_element;
using Events = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(backpressure_test)

namespace {

constexpr std::size_t kMark = Transport::kHighWaterMark;

// More than all buffers between two paused ends take when they are small.
const std::string kFlood(1 << 20, 'f');

// A connection whose server reads nothing yet.
struct SlowReader {
  Recorder client, server;
  ScriptedProducer producer;
  ReactorFixture loop;

  SlowReader() {
    loop.connect(client, server, SocketFamily::kTcp, useSmallBuffers);
    server.transport().pauseProducing();
  }

  Transport& sender() { return client.transport(); }
  void readAll() { server.transport().resumeProducing(); }
  void waitForDrain() {
    loop.runUntil([&] { return sender().bufferedBytes() == 0; }, "an empty buffer");
  }
};

}  // namespace

// --- Streaming producers ------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(exactly_the_mark_is_not_full_and_one_byte_more_is) {
  SlowReader test;
  test.sender().registerProducer(test.producer, Production::kStreaming);

  test.sender().write(asBytes(std::string(kMark, 'x')));
  BOOST_TEST(test.producer.events.empty());
  test.sender().write(asBytes("x"));

  BOOST_TEST(test.producer.events == Events{"pause"}, per_element());
  BOOST_TEST(test.sender().producerPaused());
}

BOOST_AUTO_TEST_CASE(a_push_producer_is_paused_once_and_resumed_once_the_buffer_is_empty) {
  SlowReader test;
  std::size_t bufferedAtResume = 1;
  test.producer.onResume = [&] { bufferedAtResume = test.sender().bufferedBytes(); };
  test.sender().registerProducer(test.producer, Production::kStreaming);

  for (int i = 0; i < 5; ++i) test.sender().write(asBytes(kFlood));
  test.loop.settle();
  BOOST_TEST(test.producer.events == Events{"pause"}, per_element());
  test.readAll();
  test.loop.runUntil([&] { return test.producer.count("resume") > 0; }, "the resume");
  test.loop.settle();

  BOOST_TEST(test.producer.events == (Events{"pause", "resume"}), per_element());
  BOOST_TEST(bufferedAtResume == 0U);
  BOOST_TEST(!test.sender().producerPaused());
}

BOOST_AUTO_TEST_CASE(a_slow_reader_keeps_the_buffer_at_the_mark_plus_one_write_at_most) {
  constexpr std::uint64_t kTotal = 4 << 20;
  constexpr std::size_t kPortion = 10'000;
  for (const SocketFamily family : {SocketFamily::kTcp, SocketFamily::kUnix}) {
    Recorder client, server;
    PatternProducer producer(kTotal, kPortion);
    PatternCheck check;
    std::size_t most = 0;
    ReactorFixture loop;
    loop.connect(client, server, family, useSmallBuffers);
    server.keepsData = false;
    server.onData = [&](Bytes bytes) {  // Reads a little, then rests for a turn.
      check.add(bytes);
      server.transport().pauseProducing();
      loop->callSoon([&] { server.transport().resumeProducing(); });
    };
    producer.onWritten = [&] { most = std::max(most, client.transport().bufferedBytes()); };

    producer.start(client.transport(), Production::kStreaming);
    loop.runUntil([&] { return check.count() >= kTotal || !check.good(); }, "all bytes");

    BOOST_TEST(check.good());
    BOOST_TEST(most > kMark);
    BOOST_TEST(most <= kMark + kPortion);
    BOOST_TEST(producer.pauses() > 1);
    BOOST_TEST(producer.pauses() == producer.resumes());
  }
}

BOOST_AUTO_TEST_CASE(the_high_water_mark_is_settable) {
  SlowReader test;
  test.sender().setHighWaterMark(10);
  test.sender().registerProducer(test.producer, Production::kStreaming);

  test.sender().write(asBytes("0123456789"));
  BOOST_TEST(test.producer.events.empty());
  test.sender().write(asBytes("x"));

  BOOST_TEST(test.producer.events == Events{"pause"}, per_element());
}

BOOST_AUTO_TEST_CASE(a_sequence_of_writes_is_tested_against_the_mark_once) {
  SlowReader test;
  test.sender().registerProducer(test.producer, Production::kStreaming);
  std::size_t bufferedAtPause = 0;
  test.producer.onPause = [&] { bufferedAtPause = test.sender().bufferedBytes(); };
  const std::string half(50'000, 'h');
  const std::vector<Bytes> parts(3, asBytes(half));

  test.sender().writeSequence(parts);

  BOOST_TEST(test.producer.events == Events{"pause"}, per_element());
  BOOST_TEST(bufferedAtPause == 150'000U);
}

BOOST_AUTO_TEST_CASE(a_low_water_mark_resumes_before_the_buffer_is_empty) {
  SlowReader test;
  std::size_t bufferedAtResume = 0;
  test.producer.onResume = [&] { bufferedAtResume = test.sender().bufferedBytes(); };
  test.sender().setHighWaterMark(400'000);
  test.sender().setLowWaterMark(399'999);
  test.sender().registerProducer(test.producer, Production::kStreaming);

  test.sender().write(asBytes(kFlood));
  test.loop.settle();
  BOOST_TEST(test.producer.events == Events{"pause"}, per_element());
  test.server.onData = [&](Bytes) { test.server.transport().pauseProducing(); };
  while (test.producer.count("resume") == 0) {
    test.readAll();
    test.loop.turn(2);
    if (test.sender().bufferedBytes() == 0) break;
  }

  BOOST_TEST(test.producer.events == (Events{"pause", "resume"}), per_element());
  BOOST_TEST(bufferedAtResume > 0U);
  BOOST_TEST(bufferedAtResume <= 399'999U);
}

BOOST_AUTO_TEST_CASE(water_marks_that_make_no_sense_are_refused) {
  SlowReader test;

  BOOST_CHECK_THROW(test.sender().setLowWaterMark(kMark), std::invalid_argument);
  test.sender().setLowWaterMark(1000);
  BOOST_CHECK_THROW(test.sender().setHighWaterMark(1000), std::invalid_argument);
  BOOST_CHECK_THROW(test.sender().setHighWaterMark(std::size_t{1} << 32), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(a_pause_from_inside_write_may_unregister_and_close) {
  SlowReader test;
  test.sender().registerProducer(test.producer, Production::kStreaming);
  test.producer.onPause = [&] {
    test.sender().unregisterProducer();
    test.sender().loseConnection();
  };

  test.sender().write(asBytes(kFlood));
  test.readAll();
  test.loop.runUntil([&] { return test.client.lost && test.server.lost; }, "the close");

  BOOST_TEST(test.server.received.size() == kFlood.size());
  BOOST_TEST(test.client.why == std::error_code());
}

BOOST_AUTO_TEST_CASE(a_resume_that_writes_is_paused_again) {
  SlowReader test;
  int rounds = 0;
  test.producer.onResume = [&] {
    if (++rounds < 5) {
      test.sender().write(asBytes(kFlood));
    } else {
      test.sender().unregisterProducer();
    }
  };
  test.sender().registerProducer(test.producer, Production::kStreaming);

  test.sender().write(asBytes(kFlood));
  test.readAll();
  test.loop.runUntil([&] { return test.server.received.size() >= 5 * kFlood.size(); }, "5 MiB");

  BOOST_TEST(test.producer.count("pause") == 5);
  test.loop.runUntil([&] { return rounds == 5; }, "the last resume");
  BOOST_TEST(test.producer.count("resume") == 5);
}

BOOST_AUTO_TEST_CASE(an_exception_from_pause_reaches_the_writer_and_the_bytes_are_sent) {
  SlowReader test;
  test.producer.onPause = [] { throw std::runtime_error("from pauseProducing"); };
  test.sender().registerProducer(test.producer, Production::kStreaming);

  BOOST_CHECK_THROW(test.sender().write(asBytes(kFlood)), std::runtime_error);
  test.readAll();
  test.loop.runUntil([&] { return test.server.received.size() >= kFlood.size(); }, "the bytes");

  BOOST_TEST(!test.client.lost);
  test.sender().unregisterProducer();
}

// --- Pull producers -----------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_pull_producer_is_asked_inside_its_registration) {
  SlowReader test;

  test.sender().registerProducer(test.producer, Production::kPull);

  BOOST_TEST(test.producer.events == Events{"resume"}, per_element());
}

BOOST_AUTO_TEST_CASE(a_pull_producer_is_asked_once_for_each_drain) {
  constexpr int kPortions = 20;
  const std::string portion(300'000, 'p');  // More than the buffers of the kernel take.
  SlowReader test;
  int askedWhileBytesWaited = 0;
  test.producer.onResume = [&] {
    askedWhileBytesWaited += test.sender().bufferedBytes() > 0;
    if (test.producer.count("resume") > kPortions) return test.sender().unregisterProducer();
    test.sender().write(asBytes(portion));
  };

  test.sender().registerProducer(test.producer, Production::kPull);
  test.loop.settle();
  BOOST_TEST(test.producer.count("resume") == 1);  // Not drained: the reader is paused.
  test.readAll();
  test.loop.runUntil([&] { return test.server.received.size() >= kPortions * portion.size(); },
                     "all");
  test.loop.runUntil([&] { return !test.sender().producer(); }, "the end of the producer");

  BOOST_TEST(test.producer.count("resume") == kPortions + 1);
  BOOST_TEST(test.producer.count("pause") == 0);
  BOOST_TEST(askedWhileBytesWaited == 0);
}

BOOST_AUTO_TEST_CASE(a_pull_producer_that_wrote_nothing_is_asked_again_after_a_write) {
  SlowReader test;
  test.sender().registerProducer(test.producer, Production::kPull);

  test.loop.settle();
  BOOST_TEST(test.producer.count("resume") == 1);
  test.sender().write(asBytes("someone writes"));
  test.loop.runUntil([&] { return test.producer.count("resume") == 2; }, "the second request");
  test.loop.settle();

  BOOST_TEST(test.producer.count("resume") == 2);
}

BOOST_AUTO_TEST_CASE(large_portions_of_a_pull_producer_arrive_whole) {
  Recorder client, server;
  PatternProducer producer(3 << 20, 1 << 18);
  PatternCheck check;
  ReactorFixture loop;
  server.keepsData = false;
  server.onData = [&](Bytes bytes) { check.add(bytes); };
  loop.connect(client, server, SocketFamily::kUnix);
  producer.onDone = [&] { client.transport().loseConnection(); };

  producer.start(client.transport(), Production::kPull);
  loop.runUntil([&] { return server.lost; }, "the end");

  BOOST_TEST(check.good());
  BOOST_TEST(check.count() == producer.produced());
  BOOST_TEST(producer.pauses() == 0);
}

// --- Registration -------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_second_registration_throws_and_keeps_the_first) {
  ScriptedProducer second;
  SlowReader test;
  test.sender().registerProducer(test.producer, Production::kStreaming);

  BOOST_CHECK_THROW(test.sender().registerProducer(second, Production::kPull), std::logic_error);

  BOOST_TEST(test.sender().producer() == &test.producer);
  BOOST_TEST(test.sender().streamingProducer());
  BOOST_TEST(second.events.empty());
  test.sender().write(asBytes(kFlood));
  BOOST_TEST(test.producer.events == Events{"pause"}, per_element());
}

BOOST_AUTO_TEST_CASE(the_error_of_a_second_registration_names_the_mistake) {
  SlowReader test;
  test.sender().registerProducer(test.producer, Production::kStreaming);
  std::string message;

  try {
    test.sender().registerProducer(test.producer, Production::kStreaming);
  } catch (const std::logic_error& error) {
    message = error.what();
  }

  BOOST_TEST(message.find("registered already") != std::string::npos);
  BOOST_TEST(message.find("unregisterProducer") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(registering_on_a_disconnected_consumer_stops_the_producer_at_once) {
  Recorder client, server;
  ScriptedProducer pull, push;
  Producer* kept = &pull;
  ReactorFixture loop;
  loop.connect(client, server);
  Transport& transport = client.transport();
  client.onLost = [&](std::error_code) {
    transport.registerProducer(pull, Production::kPull);
    transport.registerProducer(push, Production::kStreaming);
    kept = transport.producer();
  };

  transport.loseConnection();
  loop.runUntil([&] { return client.lost; }, "the end");

  BOOST_TEST(pull.events == Events{"stop"}, per_element());
  BOOST_TEST(push.events == Events{"stop"}, per_element());
  BOOST_TEST(kept == nullptr);
}

BOOST_AUTO_TEST_CASE(a_new_producer_is_not_taken_for_a_paused_one) {
  ScriptedProducer second;
  SlowReader test;
  test.sender().registerProducer(test.producer, Production::kStreaming);
  test.sender().write(asBytes(kFlood));
  test.sender().unregisterProducer();

  test.sender().registerProducer(second, Production::kStreaming);
  BOOST_TEST(!test.sender().producerPaused());
  test.readAll();
  test.waitForDrain();
  test.loop.settle();

  BOOST_TEST(test.producer.events == Events{"pause"}, per_element());
  BOOST_TEST(second.events.empty());
}

BOOST_AUTO_TEST_CASE(unregistering_with_nothing_registered_is_harmless) {
  SlowReader test;

  test.sender().unregisterProducer();
  test.sender().unregisterProducer();
  test.sender().write(asBytes("still here"));
  test.readAll();
  test.loop.runUntil([&] { return test.server.received == "still here"; }, "the bytes");

  BOOST_TEST(!test.client.lost);
}

BOOST_AUTO_TEST_CASE(an_unregistered_producer_hears_nothing_more) {
  SlowReader test;
  test.sender().registerProducer(test.producer, Production::kStreaming);
  test.sender().write(asBytes(kFlood));
  test.sender().unregisterProducer();

  test.readAll();
  test.waitForDrain();
  test.sender().abortConnection();
  test.loop.runUntil([&] { return test.client.lost; }, "the abort");

  BOOST_TEST(test.producer.events == Events{"pause"}, per_element());
}

BOOST_AUTO_TEST_CASE(a_lost_connection_stops_its_producer_once_and_before_the_protocol_hears) {
  Recorder client, server;
  ScriptedProducer producer;
  bool lostBeforeStop = false;
  ReactorFixture loop;
  loop.connect(client, server);
  producer.onStop = [&] { lostBeforeStop = client.lost; };
  client.transport().registerProducer(producer, Production::kStreaming);

  server.transport().abortConnection();
  loop.runUntil([&] { return client.lost; }, "the end");
  loop.settle();

  BOOST_TEST(producer.events == Events{"stop"}, per_element());
  BOOST_TEST(!lostBeforeStop);
}

BOOST_AUTO_TEST_CASE(the_state_is_told_by_twisteds_names) {
  SlowReader test;
  Transport& transport = test.sender();

  BOOST_TEST(transport.connected());
  BOOST_TEST(!transport.disconnecting());
  BOOST_TEST(!transport.disconnected());
  BOOST_TEST(transport.producer() == nullptr);
  BOOST_TEST(!transport.producerPaused());
  transport.registerProducer(test.producer, Production::kStreaming);
  BOOST_TEST(transport.producer() == &test.producer);
  BOOST_TEST(transport.streamingProducer());
  transport.write(asBytes(kFlood));
  BOOST_TEST(transport.producerPaused());
  BOOST_TEST(transport.bufferedBytes() == kFlood.size());
  transport.loseWriteConnection();
  BOOST_TEST(transport.writeDisconnecting());
  BOOST_TEST(!transport.writeDisconnected());
  transport.loseConnection();
  BOOST_TEST(transport.disconnecting());
  BOOST_TEST(transport.connected());
  bool disconnectedAtLast = false, connectedAtLast = true;
  test.client.onLost = [&](std::error_code) {
    disconnectedAtLast = transport.disconnected();
    connectedAtLast = transport.connected();
  };
  transport.abortConnection();
  test.loop.runUntil([&] { return test.client.lost; }, "the abort");
  BOOST_TEST(disconnectedAtLast);
  BOOST_TEST(!connectedAtLast);
}

// --- Closing waits for the producer -------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_close_waits_for_a_running_push_producer) {
  Recorder client, server;
  ScriptedProducer producer;
  ReactorFixture loop;
  loop.connect(client, server);
  client.transport().registerProducer(producer, Production::kStreaming);

  client.transport().loseConnection();
  loop.settle();
  BOOST_TEST(!client.lost);
  client.transport().write(asBytes("not yet"));
  loop.runUntil([&] { return server.received == "not yet"; }, "what came after the close");
  client.transport().unregisterProducer();
  loop.runUntil([&] { return client.lost && server.lost; }, "the close");

  BOOST_TEST(producer.events.empty());
  BOOST_TEST(client.why == std::error_code());
}

BOOST_AUTO_TEST_CASE(a_close_waits_for_a_paused_push_producer) {
  SlowReader test;
  test.sender().registerProducer(test.producer, Production::kStreaming);
  test.producer.onResume = [&] {
    test.sender().write(asBytes("the rest"));
    test.sender().unregisterProducer();
  };

  test.sender().write(asBytes(kFlood));
  test.sender().loseConnection();
  test.readAll();
  test.loop.runUntil([&] { return test.client.lost && test.server.lost; }, "the close");

  BOOST_TEST(test.producer.events == (Events{"pause", "resume"}), per_element());
  BOOST_TEST(test.server.received.size() == kFlood.size() + 8);
}

BOOST_AUTO_TEST_CASE(a_close_waits_for_a_pull_producer) {
  Recorder client, server;
  PatternProducer producer(500'000, 40'000);
  ReactorFixture loop;
  loop.connect(client, server);

  producer.start(client.transport(), Production::kPull);
  client.transport().loseConnection();
  loop.runUntil([&] { return client.lost && server.lost; }, "the close");

  BOOST_TEST(server.received.size() == 500'000U);
  BOOST_TEST(!producer.stopped());
}

BOOST_AUTO_TEST_CASE(unregistering_lets_a_pending_half_close_proceed) {
  Recorder client, server;
  ScriptedProducer producer;
  ReactorFixture loop;
  client.halfCloseable = server.halfCloseable = true;
  loop.connect(client, server);
  client.transport().registerProducer(producer, Production::kPull);

  client.transport().loseWriteConnection();
  loop.settle();
  const bool endedUnderProducer = server.heard("readLost");
  client.transport().unregisterProducer();
  loop.runUntil([&] { return server.heard("readLost") && client.heard("writeLost"); },
                "the half-close");

  BOOST_TEST(!endedUnderProducer);
  BOOST_TEST(client.transport().writeDisconnected());
}

BOOST_AUTO_TEST_CASE(stop_consuming_unregisters_and_closes) {
  Recorder client, server;
  ScriptedProducer producer;
  ReactorFixture loop;
  loop.connect(client, server);
  client.transport().registerProducer(producer, Production::kStreaming);

  client.transport().write(asBytes("bye"));
  client.transport().stopConsuming();
  loop.runUntil([&] { return client.lost && server.lost; }, "the close");

  BOOST_TEST(producer.events.empty());
  BOOST_TEST(server.received == "bye");
}

// --- Transports as each other's producers -------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_slow_sink_stops_a_fast_source_through_a_relay) {
  constexpr std::uint64_t kTotal = 16 << 20;
  Recorder source, relayIn, relayOut, sink;
  PatternProducer producer(kTotal, 20'000);
  PatternCheck check;
  std::size_t most = 0;
  ReactorFixture loop;
  loop.connect(source, relayIn, SocketFamily::kTcp, useSmallBuffers);
  loop.connect(relayOut, sink, SocketFamily::kTcp, useSmallBuffers);
  sink.keepsData = relayIn.keepsData = false;
  sink.onData = [&](Bytes bytes) { check.add(bytes); };
  relayIn.onData = [&](Bytes bytes) {
    relayOut.transport().write(bytes);
    most = std::max(most, relayOut.transport().bufferedBytes());
  };
  relayIn.onLost = [&](std::error_code) {
    relayOut.transport().unregisterProducer();
    relayOut.transport().loseConnection();
  };
  relayOut.transport().registerProducer(relayIn.transport(), Production::kStreaming);
  producer.onDone = [&] { source.transport().loseConnection(); };

  sink.transport().pauseProducing();
  producer.start(source.transport(), Production::kStreaming);
  loop.settle();
  BOOST_TEST(producer.produced() < (2U << 20));
  sink.transport().resumeProducing();
  loop.runUntil([&] { return sink.lost; }, "the end");

  BOOST_TEST(check.good());
  BOOST_TEST(check.count() == kTotal);
  BOOST_TEST(most < kMark + (2U << 20));  // One delivery of the largest receive buffer.
}

BOOST_AUTO_TEST_SUITE_END()
