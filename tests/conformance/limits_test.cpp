// What may be queued, what happens beyond it, and when all of it has left.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/pair.h>
#include <penstock/transports/loopback.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>
#include <utility>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(limits_test)

namespace {}  // namespace

BOOST_AUTO_TEST_CASE(a_writer_beyond_its_limit_loses_the_connection_in_the_next_turn) {
  for (const bool inMemory : {false, true}) {
    Pair test;
    if (inMemory) {
      loopbackPair(test.loop.reactor(), test.client.makeProtocol(), test.server.makeProtocol());
    } else {
      test.connect();
    }
    Transport& client = test.client.transport();
    client.setBufferLimit(100'000);

    client.write(Buffer(std::string(100'000, 'x')));
    BOOST_TEST(client.bufferedBytes() == 100'000U);
    client.write("y");
    BOOST_TEST(!test.client.lost);  // Never from inside write().
    client.write("dropped");
    BOOST_TEST(client.bufferedBytes() == 100'001U);
    test.loop.runUntil([&] { return test.client.lost && test.server.lost; }, "both to be lost");

    BOOST_TEST(test.client.why == make_error_code(ConnectionError::kBufferLimit));
    BOOST_TEST(test.server.why.value() == ECONNRESET);
  }
}

BOOST_AUTO_TEST_CASE(what_stays_within_the_limit_is_sent_however_much_it_is) {
  Pair test;
  test.connect();
  test.client.transport().setBufferLimit(200'000);
  PatternProducer producer(3'000'000, 20'000);

  producer.start(test.client.transport(), Production::kStreaming);
  test.loop.runUntil([&] { return test.server.received.size() == 3'000'000; }, "all of it");

  BOOST_TEST(!test.client.lost);
}

BOOST_AUTO_TEST_CASE(a_limit_of_the_loop_ends_whoever_goes_beyond_it) {
  ReactorOptions options;
  options.bufferLimit = 300'000;
  Recorder modestClient, modestServer, client, server;
  ReactorFixture loop(std::move(options));
  loop.connect(modestClient, modestServer);
  loop.connect(client, server);
  server.transport().pauseReading();

  modestClient.transport().write(Buffer(std::string(100'000, 'm')));
  client.transport().write(Buffer(std::string(300'000, 'x')));
  loop.runUntil([&] { return client.lost; }, "the greedy one to be lost");
  loop.runUntil([&] { return modestServer.received.size() == 100'000; }, "the other to go on");

  BOOST_TEST(client.why == make_error_code(ConnectionError::kBufferLimit));
}

// As when a message goes to everybody: only the first goes beyond the limit.
BOOST_AUTO_TEST_CASE(who_writes_after_one_that_went_beyond_the_limit_of_the_loop_is_not_lost) {
  ReactorOptions options;
  options.bufferLimit = 300'000;
  Recorder modestClient, modestServer, client, server;
  ReactorFixture loop(std::move(options));
  loop.connect(modestClient, modestServer);
  loop.connect(client, server);
  server.transport().pauseReading();

  client.transport().write(Buffer(std::string(400'000, 'x')));
  modestClient.transport().write("modest");
  loop.runUntil([&] { return client.lost; }, "the greedy one to be lost");
  loop.runUntil([&] { return modestServer.received == "modest"; }, "the other to go on");

  BOOST_TEST(!modestClient.lost);
  loop.destroy();
  BOOST_TEST(modestClient.why != make_error_code(ConnectionError::kBufferLimit));
}

BOOST_AUTO_TEST_CASE(a_producer_of_a_connection_beyond_its_limit_is_stopped) {
  Pair test;
  test.connect();
  ScriptedProducer producer;
  test.client.transport().setBufferLimit(70'000);
  test.client.transport().registerProducer(producer, Production::kStreaming);

  test.client.transport().write(Buffer(std::string(80'000, 'x')));
  test.loop.runUntil([&] { return test.client.lost; }, "the connection to be lost");

  BOOST_TEST(producer.count("stop") == 1);
}

BOOST_AUTO_TEST_CASE(the_memory_of_a_loop_can_be_read) {
  Pair test;
  test.connect();
  BOOST_TEST(test.loop->memory().queuedBytes == 0U);

  test.client.transport().write(std::string(5'000, 'x'));
  BOOST_TEST(test.loop->memory().queuedBytes == 5'000U);
  test.loop.runUntil([&] { return test.server.received.size() == 5'000; }, "the bytes");

  test.loop.runUntil([&] { return test.loop->memory().queuedBytes == 0; }, "the kernel to let go");
}

// What is passed on can leave before more comes: a sink that keeps up is not taken for one that
// does not. A turn delivers twice: what was held, and what it has read. A multishot read brings as
// many small buffers as there are.
BOOST_AUTO_TEST_CASE(what_is_passed_on_in_one_turn_is_512_KiB_at_most) {
  constexpr std::size_t kBurst = 4 << 20;
  const std::size_t most = testBackend().uringMultishotReceive ? 1 << 20 : 512 << 10;
  Recorder client, server, sinkClient, sink;
  ReactorFixture loop;
  loop.connect(client, server, SocketFamily::kTcp, [](int fd) { setReceiveBuffer(fd, 4 << 20); });
  loop.connect(sinkClient, sink);
  server.onData = [&](Bytes bytes) { sinkClient.transport().write(bytes); };
  client.transport().write(Buffer(std::string(kBurst, 'b')));

  std::size_t inOneTurn = 0;
  for (int turns = 0; server.received.size() < kBurst; ++turns) {
    BOOST_REQUIRE(turns < 10'000);
    const std::size_t before = server.received.size();
    loop->iterate(std::chrono::milliseconds(1));
    inOneTurn = std::max(inOneTurn, server.received.size() - before);
  }

  BOOST_TEST(inOneTurn <= most);
}

namespace {

struct Turner final : Protocol {
  void flushed() override {
    BOOST_CHECK_THROW(transport().reactor().iterate(), std::logic_error);
    ++calls;
  }
  static inline int calls = 0;
};

}  // namespace

// flushed() may come at the end of iterate(), which is inside the loop as well.
BOOST_AUTO_TEST_CASE(the_loop_cannot_be_turned_from_inside_flushed) {
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server);
  Transport& transport = client.transport();
  const auto before = transport.replaceProtocol(std::make_unique<Turner>());

  for (int i = 1; i <= 20; ++i) {
    server.transport().write("x");
    transport.write("y");
    loop.runUntil([&] { return Turner::calls >= i; }, "it to be flushed");
  }
  loop.destroy();
}

namespace {

struct Flushed final : Protocol {
  void flushed() override { ++count; }
  static inline int count = 0;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_writer_is_told_when_all_has_left) {
  Recorder server;
  ReactorFixture loop;
  Recorder client;
  loop.connect(client, server, SocketFamily::kTcp, [](int fd) { setSendBuffer(fd, 16384); });
  Flushed::count = 0;
  Transport& transport = client.transport();
  const auto before = transport.replaceProtocol(std::make_unique<Flushed>());

  loop.turn(3);
  BOOST_TEST(Flushed::count == 0);
  transport.write(Buffer(std::string(400'000, 'x')));
  BOOST_TEST(Flushed::count == 0);
  loop.runUntil([&] { return server.received.size() == 400'000; }, "all to arrive");
  loop.runUntil([&] { return Flushed::count > 0; }, "the writer to be told");

  BOOST_TEST(Flushed::count == 1);
  BOOST_TEST(transport.bufferedBytes() == 0U);
  loop.destroy();
}

BOOST_AUTO_TEST_SUITE_END()
