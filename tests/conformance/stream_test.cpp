// A stream carries bytes, all of them, in order, both ways, and holds them back when told to.
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/pattern.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/scripted_producer.h>

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(stream_test)

namespace {

constexpr std::uint64_t kMebibyte = 1 << 20;

// A gibibyte where it tells most; enough to wrap every buffer elsewhere.
std::uint64_t bulkVolume() {
  const TestBackend& backend = testBackend();
  if (backend.simulated) return kMebibyte;
  return backend.name == "epoll" || backend.name == "uring" ? 1024 * kMebibyte : 32 * kMebibyte;
}

void countInto(PatternCheck& check, Recorder& recorder) {
  recorder.keepsData = false;
  recorder.onData = [&check](Bytes bytes) { check.add(bytes); };
}

}  // namespace

BOOST_AUTO_TEST_CASE(bytes_arrive_at_the_other_end) {
  for (const SocketFamily family : {SocketFamily::kTcp, SocketFamily::kUnix}) {
    Recorder client, server;
    ReactorFixture loop;
    loop.connect(client, server, family);

    client.transport().write(asBytes("hello"));
    loop.runUntil([&] { return server.received.size() >= 5; }, "five bytes");

    BOOST_TEST(server.received == "hello");
    BOOST_TEST(client.received.empty());
  }
}

BOOST_AUTO_TEST_CASE(all_kinds_of_write_keep_their_order) {
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server);
  const std::array<Bytes, 3> parts{asBytes("c"), asBytes(""), asBytes("d")};
  const Buffer buffer(std::string("e-f-g"));

  Transport& transport = client.transport();
  transport.write(asBytes("a"));
  transport.write(Buffer(std::string("b")));
  transport.writeSequence(parts);
  transport.write(buffer.slice(0, 1));
  transport.write(buffer.slice(2, 1));
  transport.write(Buffer::ofStatic(asBytes("g")));
  loop.runUntil([&] { return server.received.size() >= 7; }, "seven bytes");

  BOOST_TEST(server.received == "abcdefg");
}

BOOST_AUTO_TEST_CASE(a_buffer_is_kept_until_it_was_sent_and_no_longer) {
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server);
  auto owner = std::make_shared<const std::string>(100'000, 'x');
  const std::weak_ptr<const std::string> watched = owner;

  client.transport().write(Buffer(owner, asBytes(*owner)));
  owner.reset();
  BOOST_TEST(!watched.expired());
  loop.runUntil([&] { return server.received.size() >= 100'000; }, "the buffer");
  loop.runUntil([&] { return watched.expired(); }, "the buffer to be let go");

  BOOST_TEST(server.received == std::string(100'000, 'x'));
}

BOOST_AUTO_TEST_CASE(writing_nothing_is_no_write) {
  Recorder client, server;
  ScriptedProducer producer;
  ReactorFixture loop;
  loop.connect(client, server);
  client.transport().registerProducer(producer, Production::kPull);
  const std::array<Bytes, 2> empty{};

  client.transport().write(Bytes());
  client.transport().write(Buffer());
  client.transport().writeSequence({});
  client.transport().writeSequence(empty);
  loop.settle();

  BOOST_TEST(producer.count("resume") == 1);  // At its registration, not after a drain.
  BOOST_TEST(!server.heard("data"));
  client.transport().unregisterProducer();
}

BOOST_AUTO_TEST_CASE(a_great_volume_arrives_byte_exact_through_short_writes) {
  Recorder client, server;
  PatternProducer producer(bulkVolume(), 50'000);
  PatternCheck check;
  ReactorFixture loop;
  countInto(check, server);
  loop.connect(client, server, SocketFamily::kTcp, useSmallBuffers);

  producer.start(client.transport(), Production::kStreaming);
  loop.runUntil([&] { return check.count() >= bulkVolume() || !check.good(); }, "all bytes",
                std::chrono::seconds(50));

  BOOST_TEST(check.good());
  BOOST_TEST(check.count() == bulkVolume());
  BOOST_TEST(producer.pauses() > 0);
}

BOOST_AUTO_TEST_CASE(one_huge_write_and_another_while_it_is_sent_arrive_before_the_close) {
  const std::size_t huge = testBackend().simulated ? kMebibyte : 60 * kMebibyte;
  std::string bytes(huge, ' ');
  std::size_t at = 0;
  while (at < huge) {
    const Bytes part = patternAt(at, huge - at);
    std::ranges::copy(asText(part), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    at += part.size();
  }
  Recorder client, server;
  PatternCheck check;
  ReactorFixture loop;
  countInto(check, server);
  loop.connect(client, server);
  const std::size_t first = huge - 1000;

  client.transport().write(asBytes(bytes).first(first));
  loop.runUntil([&] { return check.count() > 0; }, "the first bytes");
  BOOST_TEST(client.transport().bufferedBytes() > 0U);
  client.transport().write(asBytes(bytes).subspan(first));
  client.transport().loseConnection();
  loop.runUntil([&] { return server.lost; }, "the end");

  BOOST_TEST(check.good());
  BOOST_TEST(check.count() == huge);
  BOOST_TEST(client.why == std::error_code());
  BOOST_TEST(server.why == std::error_code());
}

BOOST_AUTO_TEST_CASE(both_directions_carry_at_once) {
  const std::uint64_t volume = testBackend().simulated ? kMebibyte : 16 * kMebibyte;
  for (const SocketFamily family : {SocketFamily::kTcp, SocketFamily::kUnix}) {
    Recorder client, server;
    PatternProducer up(volume, 70'000), down(volume, 3'000);
    PatternCheck upCheck, downCheck;
    ReactorFixture loop;
    countInto(upCheck, server);
    countInto(downCheck, client);
    loop.connect(client, server, family, useSmallBuffers);

    up.start(client.transport(), Production::kStreaming);
    down.start(server.transport(), Production::kPull);
    loop.runUntil([&] { return upCheck.count() >= volume && downCheck.count() >= volume; },
                  "both volumes");

    BOOST_TEST(upCheck.good());
    BOOST_TEST(downCheck.good());
  }
}

BOOST_AUTO_TEST_CASE(many_small_writes_arrive_whole) {
  Recorder client, server;
  PatternCheck check;
  ReactorFixture loop;
  countInto(check, server);
  loop.connect(client, server, SocketFamily::kTcp, useSmallBuffers);
  constexpr std::uint64_t kTotal = 300'000;

  for (std::uint64_t sent = 0; sent < kTotal;) {
    const Bytes bytes = patternAt(sent, sent % 7 + 1);
    client.transport().write(bytes);
    sent += bytes.size();
    if (sent >= kTotal) client.transport().loseConnection();
  }
  loop.runUntil([&] { return server.lost; }, "the end");

  BOOST_TEST(check.good());
  BOOST_TEST(check.count() >= kTotal);
  BOOST_TEST(server.why == std::error_code());
}

BOOST_AUTO_TEST_CASE(a_delivery_is_never_empty) {
  Recorder client, server;
  int empty = 0;
  ReactorFixture loop;
  server.onData = [&](Bytes bytes) { empty += bytes.empty(); };
  loop.connect(client, server);

  for (int i = 0; i < 50; ++i) {
    client.transport().write(asBytes("x"));
    loop.turn(2);
  }
  client.transport().loseConnection();
  loop.runUntil([&] { return server.lost; }, "the end");

  BOOST_TEST(server.received.size() == 50U);
  BOOST_TEST(empty == 0);
}

BOOST_AUTO_TEST_CASE(an_echo_from_inside_data_received_comes_back) {
  Recorder client, server;
  ReactorFixture loop;
  server.onData = [&](Bytes bytes) { server.transport().write(bytes); };
  loop.connect(client, server);

  for (int round = 1; round <= 20; ++round) {
    client.transport().write(asBytes("ping"));
    loop.runUntil([&] { return client.received.size() >= 4U * round; }, "the echo");
  }

  BOOST_TEST(client.received.size() == 80U);
}

BOOST_AUTO_TEST_CASE(an_echo_outlives_the_delivery_it_came_from) {
  Recorder client, server;
  PatternCheck check;
  PatternProducer producer(4 * kMebibyte, 30'000);
  ReactorFixture loop;
  countInto(check, client);
  server.keepsData = false;
  server.onData = [&](Bytes bytes) { server.transport().write(bytes); };
  loop.connect(client, server, SocketFamily::kTcp, useSmallBuffers);

  producer.start(client.transport(), Production::kStreaming);
  loop.runUntil([&] { return check.count() >= 4 * kMebibyte || !check.good(); }, "the echo");

  BOOST_TEST(check.good());
}

// --- Pausing ------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_paused_reader_delivers_nothing_until_resumed) {
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server);

  server.transport().pauseProducing();
  client.transport().write(asBytes("held"));
  loop.settle();
  BOOST_TEST(!server.heard("data"));
  server.transport().resumeProducing();
  loop.runUntil([&] { return server.received == "held"; }, "what was held");

  BOOST_TEST(server.received == "held");
}

BOOST_AUTO_TEST_CASE(a_pause_from_inside_connection_made_holds_on_either_side) {
  for (const bool byClient : {false, true}) {
    Recorder client, server;
    ReactorFixture loop;
    Recorder& reader = byClient ? client : server;
    Recorder& writer = byClient ? server : client;
    reader.onMade = [](Transport& transport) { transport.pauseProducing(); };
    writer.onMade = [](Transport& transport) { transport.write(asBytes("early")); };
    loop.connect(client, server);

    loop.settle();
    BOOST_TEST(!reader.heard("data"));
    reader.transport().resumeProducing();
    loop.runUntil([&] { return reader.received == "early"; }, "what was held");
  }
}

BOOST_AUTO_TEST_CASE(a_pause_from_inside_data_received_holds_the_rest_in_order) {
  constexpr std::uint64_t kTotal = 2 * kMebibyte;
  Recorder client, server;
  PatternProducer producer(kTotal, 60'000);
  PatternCheck check;
  bool paused = false;
  int deliveredWhilePaused = 0;
  ReactorFixture loop;
  loop.connect(client, server);
  server.keepsData = false;
  server.onData = [&](Bytes bytes) {
    deliveredWhilePaused += paused;
    check.add(bytes);
    paused = true;
    server.transport().pauseProducing();
    loop->callSoon([&] {
      paused = false;
      if (server.connected()) server.transport().resumeProducing();
    });
  };

  producer.start(client.transport(), Production::kStreaming);
  loop.runUntil([&] { return check.count() >= kTotal || !check.good(); }, "all bytes");

  BOOST_TEST(check.good());
  BOOST_TEST(deliveredWhilePaused == 0);
}

BOOST_AUTO_TEST_CASE(pausing_and_resuming_may_be_repeated) {
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server);

  for (int i = 0; i < 3; ++i) server.transport().pauseProducing();
  for (int i = 0; i < 3; ++i) server.transport().resumeProducing();
  for (int i = 0; i < 10; ++i) {
    server.transport().pauseProducing();
    server.transport().resumeProducing();
    client.transport().write(asBytes("x"));
    loop.turn();
  }
  loop.runUntil([&] { return server.received.size() >= 10; }, "ten bytes");
  loop.settle();

  BOOST_TEST(server.received == std::string(10, 'x'));
}

BOOST_AUTO_TEST_CASE(a_paused_reader_stops_the_sender_and_memory_stays_bounded) {
  Recorder client, server;
  PatternProducer producer(1024 * kMebibyte, 10'000);
  ReactorFixture loop;
  loop.connect(client, server, SocketFamily::kTcp, useSmallBuffers);

  server.transport().pauseProducing();
  producer.start(client.transport(), Production::kStreaming);
  std::uint64_t produced = 0;  // TCP fills the last of small buffers a little at a time.
  do {
    produced = producer.produced();
    loop.settle();
  } while (producer.produced() > produced && produced < 2 * kMebibyte);

  BOOST_TEST(produced < 2 * kMebibyte);
  BOOST_TEST(client.transport().producerPaused());
  BOOST_TEST(client.transport().bufferedBytes() > 0U);
  BOOST_TEST(!server.heard("data"));
}

BOOST_AUTO_TEST_CASE(the_end_of_input_waits_behind_what_is_held) {
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server);

  server.transport().pauseProducing();
  client.transport().write(asBytes("last words"));
  client.transport().loseConnection();
  loop.runUntil([&] { return client.lost; }, "the client's end");
  loop.settle();
  BOOST_TEST(!server.heard("data"));
  BOOST_TEST(!server.lost);
  server.transport().resumeProducing();
  loop.runUntil([&] { return server.lost; }, "the end");

  const std::vector<std::string> expected{"made", "data", "lost"};
  BOOST_TEST(server.events == expected, boost::test_tools::per_element());
  BOOST_TEST(server.received == "last words");
}

// A family with no receive under way learns of it from the write.
BOOST_AUTO_TEST_CASE(a_reset_is_reported_to_a_paused_reader_when_it_writes_at_the_latest) {
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server);

  server.transport().pauseProducing();
  client.transport().abortConnection();
  loop.runUntil([&] { return client.lost; }, "the abort");
  if (server.connected()) server.transport().write(asBytes("into the void"));
  loop.runUntil([&] { return server.lost; }, "the reset");

  BOOST_TEST(server.why);
}

BOOST_AUTO_TEST_CASE(what_was_queued_before_a_pause_is_still_sent) {
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server);

  client.transport().write(asBytes("sent all the same"));
  client.transport().pauseProducing();
  loop.runUntil([&] { return server.received == "sent all the same"; }, "the bytes");

  BOOST_TEST(server.received == "sent all the same");
}

BOOST_AUTO_TEST_SUITE_END()
