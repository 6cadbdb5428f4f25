// How what was received reaches the protocol: cut, held, and kept.
#include <penstock/tests/support/pattern.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/transports/loopback.h>

#include <boost/test/unit_test.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(delivery_test)

namespace {

const std::error_code resetByPeer(ECONNRESET, std::system_category());

constexpr std::size_t kBurst = 700'000;

std::string burst(std::size_t size = kBurst) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

// A server that notes how it is handed what a client sends.
struct Deliveries {
  Recorder client, server;
  std::vector<std::size_t> sizes;
  ReactorFixture loop;

  Deliveries() {
    server.onData = [this](Bytes bytes) { sizes.push_back(bytes.size()); };
    client.halfCloseable = server.halfCloseable = true;
  }
  void connect(SocketFamily family = SocketFamily::kTcp) { loop.connect(client, server, family); }
  void connectInMemory() {
    loopbackPair(loop.reactor(), client.makeProtocol(), server.makeProtocol());
  }
  void awaitAll(std::size_t count = kBurst) {
    loop.runUntil([&] { return server.received.size() >= count; }, "all to arrive");
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_delivery_brings_at_most_64_KiB_unless_told_otherwise) {
  for (const bool inMemory : {false, true}) {
    Deliveries test;
    inMemory ? test.connectInMemory() : test.connect();

    test.client.transport().write(Buffer(burst()));
    test.awaitAll();

    BOOST_TEST(test.server.received == burst());
    BOOST_TEST(*std::ranges::max_element(test.sizes) <= Transport::kDeliveryLimit);
  }
}

BOOST_AUTO_TEST_CASE(a_protocol_sets_how_much_one_delivery_brings) {
  for (const std::size_t limit : {1U, 999U, 4096U, 1U << 30}) {
    Deliveries test;
    test.server.onMade = [&](Transport& transport) { transport.setDeliveryLimit(limit); };
    test.connect();
    const std::string text = burst(limit == 1 ? 3'000 : kBurst);

    test.client.transport().write(Buffer(text));
    test.awaitAll(text.size());

    BOOST_TEST(test.server.received == text);
    BOOST_TEST(*std::ranges::max_element(test.sizes) <= limit);
  }
}

BOOST_AUTO_TEST_CASE(a_limit_of_nothing_is_refused) {
  Deliveries test;
  test.connect();

  BOOST_CHECK_THROW(test.server.transport().setDeliveryLimit(0), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(a_pause_between_two_pieces_of_a_read_holds_the_rest) {
  for (const bool inMemory : {false, true}) {
    Deliveries test;
    test.server.onMade = [](Transport& transport) { transport.setDeliveryLimit(1000); };
    test.server.onData = [&](Bytes bytes) {
      test.sizes.push_back(bytes.size());
      test.server.transport().pauseProducing();
    };
    inMemory ? test.connectInMemory() : test.connect();

    test.client.transport().write(Buffer(burst(50'000)));
    test.client.transport().loseWriteConnection();
    for (std::size_t deliveries = 1; test.server.received.size() < 50'000; ++deliveries) {
      test.loop.runUntil([&] { return test.sizes.size() == deliveries; }, "one more piece");
      test.loop.turn(3);
      BOOST_REQUIRE(test.sizes.size() == deliveries);
      BOOST_REQUIRE(!test.server.heard("readLost"));
      test.server.transport().resumeProducing();
    }
    test.loop.runUntil([&] { return test.server.heard("readLost"); }, "the end of the input");

    BOOST_TEST(test.server.received == burst(50'000));
  }
}

BOOST_AUTO_TEST_CASE(what_is_held_goes_with_a_connection_that_is_lost_in_between) {
  for (const bool abort : {false, true}) {
    Deliveries test;
    test.server.onMade = [](Transport& transport) { transport.setDeliveryLimit(1000); };
    test.server.onData = [&](Bytes) {
      abort ? test.server.transport().abortConnection() : test.server.transport().loseConnection();
    };
    test.client.onReadLost = [&] { test.client.transport().loseConnection(); };
    test.connect();

    test.client.transport().write(Buffer(burst(50'000)));
    test.loop.runUntil([&] { return test.server.lost && test.client.lost; }, "both to be lost");

    BOOST_TEST(test.server.received.size() == 1000U);
  }
}

BOOST_AUTO_TEST_CASE(many_connections_that_pause_in_the_middle_hold_a_bounded_amount) {
  constexpr std::size_t kConnections = 24;
  Recorder clients[kConnections], servers[kConnections];
  ReactorFixture loop;
  for (std::size_t i = 0; i < kConnections; ++i) {
    servers[i].onMade = [](Transport& transport) { transport.setDeliveryLimit(512); };
    servers[i].onData = [&servers, i](Bytes) {
      if (servers[i].received.size() > 200'000) servers[i].transport().pauseProducing();
    };
    loop.connect(clients[i], servers[i]);
    clients[i].transport().write(Buffer(burst()));
  }

  const auto allPaused = [&] {
    return std::ranges::all_of(servers, [](auto& each) { return each.received.size() > 200'000; });
  };
  loop.runUntil(allPaused, "all to have paused");

  std::size_t waiting = 0;
  for (Recorder& client : clients) waiting += client.transport().bufferedBytes();
  const Reactor::Memory memory = loop->memory();
  // A multishot receive goes on until its end has reached the kernel; and what is sent without a
  // copy counts until the peer has acknowledged it.
  if (!testBackend().uringMultishotReceive && !testBackend().uringZeroCopySend) {
    BOOST_TEST(memory.queuedBytes - waiting <= kConnections * 65536 + (1 << 20));
  }
  BOOST_TEST(memory.receiveBlocks <= std::size_t{8} << 20);
  for (Recorder& server : servers) server.onData = nullptr;
  for (Recorder& server : servers) server.transport().resumeProducing();
  for (Recorder& server : servers) {
    loop.runUntil([&] { return server.received.size() == kBurst; }, "the rest");
    BOOST_TEST(server.received == burst());
  }
}

// --- The application's own pause ----------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_pause_of_the_application_outlives_those_of_a_consumer) {
  Deliveries test;
  test.connect();
  Transport& server = test.server.transport();

  server.pauseReading();
  server.pauseProducing();
  server.resumeProducing();
  test.client.transport().write("held");
  test.loop.settle();
  BOOST_TEST(test.server.received.empty());
  server.pauseProducing();
  server.resumeReading();
  test.loop.settle();
  BOOST_TEST(test.server.received.empty());
  server.resumeProducing();
  test.awaitAll(4);

  BOOST_TEST(test.server.received == "held");
}

BOOST_AUTO_TEST_CASE(a_pause_of_the_application_holds_the_end_of_the_input_too) {
  Deliveries test;
  test.connect();

  test.server.transport().pauseReading();
  test.client.transport().loseWriteConnection();
  test.loop.settle();
  BOOST_TEST(!test.server.heard("readLost"));
  test.server.transport().resumeReading();

  test.loop.runUntil([&] { return test.server.heard("readLost"); }, "the end of the input");
}

BOOST_AUTO_TEST_CASE(a_pause_from_inside_connectionMade_holds_until_the_application_resumes) {
  Deliveries test;
  test.server.onMade = [](Transport& transport) {
    transport.pauseReading();
    transport.resumeProducing();
  };
  test.connect();

  test.client.transport().write("hello");
  test.loop.settle();
  BOOST_TEST(test.server.received.empty());
  test.server.transport().resumeReading();

  test.awaitAll(5);
}

// --- A reset while nothing is read --------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_reset_is_heard_by_a_connection_that_has_long_been_paused) {
  Deliveries test;
  test.connect();

  test.server.transport().pauseReading();
  test.client.transport().write("never delivered");
  test.loop.settle();
  test.client.transport().abortConnection();
  test.loop.runUntil([&] { return test.server.lost; }, "the paused side to hear of the reset");

  BOOST_TEST(test.server.why == resetByPeer);
  BOOST_TEST(test.server.received.empty());
}

BOOST_AUTO_TEST_CASE(a_reset_is_heard_after_the_end_of_the_input) {
  Deliveries test;
  test.connect();

  test.client.transport().loseWriteConnection();
  test.loop.runUntil([&] { return test.server.heard("readLost"); }, "the end of the input");
  test.client.transport().abortConnection();
  test.loop.runUntil([&] { return test.server.lost; }, "the reset to be heard");

  BOOST_TEST(static_cast<bool>(test.server.why));
}

BOOST_AUTO_TEST_CASE(a_close_that_waits_for_its_producer_hears_the_reset) {
  Deliveries test;
  test.connect();
  struct : Producer {
    void pauseProducing() override {}
    void resumeProducing() override {}
    void stopProducing() override {}
  } producer;
  test.server.transport().registerProducer(producer, Production::kStreaming);

  test.server.transport().loseConnection();
  test.loop.settle();
  BOOST_TEST(!test.server.lost);
  test.client.transport().abortConnection();
  test.loop.runUntil([&] { return test.server.lost; }, "the reset to be heard");

  BOOST_TEST(static_cast<bool>(test.server.why));
}

// --- Keeping ------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_was_received_can_be_kept_after_the_call_and_after_the_loop) {
  std::vector<Buffer> kept;
  {
    Deliveries test;
    test.server.onData = [&](Bytes bytes) {
      kept.push_back(test.server.transport().keep(bytes));
      kept.push_back(test.server.transport().keep(bytes.first(bytes.size() / 2)));
    };
    test.connect();

    test.client.transport().write(Buffer(burst()));
    test.awaitAll();
  }

  std::string all;
  for (std::size_t i = 0; i < kept.size(); i += 2) {
    all += asText(kept[i].bytes());
    BOOST_TEST(asText(kept[i + 1].bytes()) ==
               asText(kept[i].bytes()).substr(0, kept[i + 1].size()));
  }
  BOOST_TEST(all == burst());
}

BOOST_AUTO_TEST_CASE(what_is_kept_may_be_given_up_on_another_thread) {
  Deliveries test;
  std::vector<Buffer> kept;
  test.server.onData = [&](Bytes bytes) {
    kept.push_back(test.server.transport().keep(bytes));
    if (kept.size() < 8) return;
    std::thread([given = std::move(kept)]() mutable { given.clear(); }).join();
    kept.clear();
  };
  test.connect();

  for (int round = 0; round < 4; ++round) {
    test.client.transport().write(Buffer(burst()));
    test.awaitAll((round + 1) * kBurst);
  }

  BOOST_TEST(test.server.received == burst() + burst() + burst() + burst());
}

BOOST_AUTO_TEST_CASE(what_is_kept_can_be_written_elsewhere) {
  Deliveries test;
  std::vector<Buffer> kept;
  test.server.onData = [&](Bytes bytes) { kept.push_back(test.server.transport().keep(bytes)); };
  test.connect();

  test.client.transport().write("remember me");
  test.awaitAll(11);
  for (const Buffer& each : kept) test.server.transport().write(each);
  test.loop.runUntil([&] { return test.client.received.size() == 11; }, "it to come back");

  BOOST_TEST(test.client.received == "remember me");
}

BOOST_AUTO_TEST_SUITE_END()
