// Producers that can produce nothing more: a consumer that is to close does not wait for them.
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/scripted_producer.h>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(finishing_test)

namespace {

// A server that echoes by being its own producer, as in the README.
struct Echo {
  Recorder client, server;
  ReactorFixture loop;

  Echo() {
    client.halfCloseable = server.halfCloseable = true;
    server.onMade = [](Transport& transport) {
      transport.registerProducer(transport, Production::kStreaming);
    };
    server.onData = [this](Bytes bytes) { server.transport().write(bytes); };
    server.onReadLost = [this] { server.transport().loseConnection(); };
    loop.connect(client, server, SocketFamily::kTcp, useSmallBuffers);
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_connection_that_is_its_own_producer_closes_when_asked) {
  Echo test;

  test.server.transport().loseConnection();
  test.loop.runUntil([&] { return test.server.lost; }, "the server to close");

  BOOST_TEST(test.server.why == std::error_code());
}

BOOST_AUTO_TEST_CASE(it_closes_though_it_was_paused_when_it_was_asked_to) {
  Echo test;
  test.client.transport().pauseReading();
  test.client.transport().write(Buffer(std::string(2'000'000, 'e')));
  test.loop.runUntil([&] { return test.server.transport().producerPaused(); }, "the echo to pause");

  test.server.transport().loseConnection();
  test.client.transport().resumeReading();
  test.loop.runUntil([&] { return test.server.lost; }, "the server to close");

  BOOST_TEST(test.server.why == std::error_code());
}

BOOST_AUTO_TEST_CASE(an_echo_ends_after_all_was_echoed_when_its_peer_has_ended) {
  Echo test;

  test.client.transport().write(Buffer(std::string(1'000'000, 'e')));
  test.client.transport().loseWriteConnection();
  test.loop.runUntil([&] { return test.server.lost; }, "the server to close");
  test.loop.runUntil([&] { return test.client.heard("readLost"); }, "the client to hear the end");

  BOOST_TEST(test.client.received.size() == 1'000'000U);
  BOOST_TEST(test.server.why == std::error_code());
}

BOOST_AUTO_TEST_CASE(a_consumer_closes_once_the_transport_that_produces_for_it_reads_no_more) {
  for (const bool byClosing : {true, false}) {
    Recorder client, server, sourceClient, source;
    source.halfCloseable = true;
    ReactorFixture loop;
    loop.connect(client, server);
    loop.connect(sourceClient, source);
    server.transport().registerProducer(source.transport(), Production::kStreaming);

    server.transport().loseConnection();
    loop.settle();
    BOOST_TEST(!server.lost);
    if (byClosing) {
      source.transport().loseConnection();
    } else {
      sourceClient.transport().loseWriteConnection();
    }
    loop.runUntil([&] { return server.lost; }, "the consumer to close");

    BOOST_TEST(server.why == std::error_code());
  }
}

BOOST_AUTO_TEST_CASE(a_transport_that_is_lost_unregisters_itself) {
  Recorder client, server, sourceClient, source;
  ReactorFixture loop;
  loop.connect(client, server);
  loop.connect(sourceClient, source);
  server.transport().registerProducer(source.transport(), Production::kStreaming);

  sourceClient.transport().abortConnection();
  loop.runUntil([&] { return source.lost; }, "the source to be lost");
  loop.turn(2);

  BOOST_TEST(server.transport().producer() == nullptr);
  server.transport().write(Buffer(std::string(300'000, 'x')));
  loop.runUntil([&] { return client.received.size() == 300'000; }, "the consumer to go on");
}

BOOST_AUTO_TEST_CASE(a_transport_that_is_lost_leaves_all_that_it_produced_for) {
  Recorder clients[3], servers[3], sourceClient, source;
  ReactorFixture loop;
  for (int i = 0; i < 3; ++i) loop.connect(clients[i], servers[i]);
  loop.connect(sourceClient, source);
  for (Recorder& server : servers) {
    server.transport().registerProducer(source.transport(), Production::kStreaming);
  }
  servers[1].transport().unregisterProducer();
  servers[1].transport().registerProducer(source.transport(), Production::kStreaming);

  sourceClient.transport().abortConnection();
  loop.runUntil([&] { return source.lost; }, "the source to be lost");

  for (Recorder& server : servers) {
    BOOST_TEST(server.transport().producer() == nullptr);
    server.transport().write(Buffer(std::string(300'000, 'x')));
  }
  for (Recorder& client : clients) {
    loop.runUntil([&] { return client.received.size() == 300'000; }, "the consumers to go on");
  }
}

BOOST_AUTO_TEST_CASE(a_half_close_waits_for_the_registered_producer) {
  for (const Production production : {Production::kStreaming, Production::kPull}) {
    Recorder client, server;
    client.halfCloseable = server.halfCloseable = true;
    ReactorFixture loop;
    ScriptedProducer producer;
    loop.connect(client, server);
    server.transport().registerProducer(producer, production);

    server.transport().loseWriteConnection();
    loop.settle();
    BOOST_TEST(!server.heard("writeLost"));
    server.transport().write("written late");
    loop.settle();
    server.transport().unregisterProducer();
    loop.runUntil([&] { return client.heard("readLost"); }, "the half-close");

    BOOST_TEST(client.received == "written late");
    BOOST_TEST(server.heard("writeLost"));
  }
}

BOOST_AUTO_TEST_SUITE_END()
