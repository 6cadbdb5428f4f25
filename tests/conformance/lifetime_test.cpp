// Who dies when: things that end from inside their own callbacks, from inside those of others, all
// at once, and under a peer that vanishes.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/scripted_producer.h>

#include <signal.h>
#include <sys/socket.h>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(lifetime_test)

namespace {

// Counts the protocols that live, and hears nothing else.
class CountedProtocol final : public Protocol {
 public:
  explicit CountedProtocol(int& living) : living_(living) { ++living_; }
  ~CountedProtocol() override { --living_; }
  void connectionMade(Transport&) override {}
  void dataReceived(Bytes) override {}
  void connectionLost(std::error_code) override {}

 private:
  int& living_;
};

// Many connections into one loop.
struct Crowd {
  explicit Crowd(std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      clients.push_back(std::make_unique<Recorder>());
      servers.push_back(std::make_unique<Recorder>());
      clients.back()->halfCloseable = servers.back()->halfCloseable = true;
    }
  }
  void connect() {
    for (std::size_t i = 0; i < clients.size(); ++i) loop.connect(*clients[i], *servers[i]);
  }
  bool allLost() const {
    const auto lost = [](const std::unique_ptr<Recorder>& side) { return side->lost; };
    return std::ranges::all_of(clients, lost) && std::ranges::all_of(servers, lost);
  }

  std::vector<std::unique_ptr<Recorder>> clients, servers;
  ReactorFixture loop;
};

}  // namespace

// --- Protocols ----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_protocol_dies_with_its_connection_and_not_before) {
  int living = 0;
  Recorder client;
  ReactorFixture loop;
  Listener& listener = loop.listen([&] { return std::make_unique<CountedProtocol>(living); });
  loop.connectTo(addressOf(listener.descriptor()), client, SocketFamily::kTcp);
  loop.runUntil([&] { return client.made() && living == 1; }, "the connection");
  loop.settle();
  BOOST_TEST(living == 1);

  client.transport().loseConnection();
  loop.runUntil([&] { return living == 0; }, "the protocol's end");

  BOOST_TEST(client.lost);
}

// No operation is in flight on either family once the peer's end was received.
BOOST_AUTO_TEST_CASE(a_descriptor_is_given_back_before_its_protocol_hears_of_the_loss) {
  Recorder client, server;
  ReactorFixture loop;
  int before = -1, atLoss = -1;
  server.onMade = [&](Transport& transport) { before = transport.descriptor(); };
  server.onLost = [&](std::error_code) { atLoss = server.transport().descriptor(); };
  loop.connect(client, server);

  client.transport().loseConnection();
  loop.runUntil([&] { return server.lost; }, "the end");

  BOOST_TEST(before >= 0);
  BOOST_TEST(atLoss == -1);
}

BOOST_AUTO_TEST_CASE(everything_open_is_told_when_the_reactor_goes) {
  int living = 0;
  Recorder client, server, paused, pausedPeer, aborting, abortingPeer;
  ScriptedProducer producer;
  int connectsTold = 0;
  auto kept = std::make_shared<int>(0);
  const std::weak_ptr<int> keptByCallbacks = kept;
  ReactorFixture loop;
  loop.connect(client, server, SocketFamily::kTcp, useSmallBuffers);
  loop.connect(paused, pausedPeer);
  loop.connect(aborting, abortingPeer);
  Listener& listener = loop.listen([&] { return std::make_unique<CountedProtocol>(living); });
  paused.transport().pauseProducing();
  pausedPeer.transport().write(asBytes(std::string(100'000, 'x')));
  client.transport().registerProducer(producer, Production::kStreaming);
  client.transport().write(asBytes(std::string(kMoreThanSmallBuffers, 'x')));
  loop.turn();
  BOOST_TEST(client.transport().bufferedBytes() > 0U);
  aborting.transport().abortConnection();
  const SocketAddress to = addressOf(listener.descriptor());
  loop->openConnect(makeSocket(loop.reactor(), SocketFamily::kTcp), to.data(), to.length(),
                    [&](std::error_code, OwnedFd) { ++connectsTold; });
  loop->callLater(std::chrono::hours(1), [kept] { ++*kept; });
  loop->callSoon([kept] { ++*kept; });
  kept.reset();

  loop.destroy();

  for (const Recorder* side : {&client, &server, &paused, &pausedPeer, &abortingPeer}) {
    BOOST_TEST(endedOnce(*side));
    BOOST_TEST(side->why);
  }
  BOOST_TEST(endedOnce(aborting));
  BOOST_TEST(aborting.why == ConnectionError::kAborted);
  BOOST_TEST(producer.count("stop") == 1);
  BOOST_TEST(connectsTold == 1);
  BOOST_TEST(living == 0);
  BOOST_TEST(keptByCallbacks.expired());
}

BOOST_AUTO_TEST_CASE(the_end_of_a_run_disconnects_everything) {
  Recorder client, server;
  ReactorFixture loop;
  client.onMade = [&](Transport&) { loop->callSoon([&] { loop->stop(); }); };
  Listener& listener = loop.listen([&] { return server.makeProtocol(); });
  loop.connectTo(addressOf(listener.descriptor()), client, SocketFamily::kTcp);

  loop->run();

  BOOST_TEST(endedOnce(client));
  if (server.made()) BOOST_TEST(endedOnce(server));
}

BOOST_AUTO_TEST_CASE(what_a_connection_lost_opens_during_the_end_is_ended_as_well) {
  Recorder client, server, second;
  ReactorFixture loop;
  Listener& listener = loop.listen([&] { return server.makeProtocol(); });
  const SocketAddress to = addressOf(listener.descriptor());
  int told = 0;
  client.onLost = [&](std::error_code) {
    loop->openConnect(makeSocket(loop.reactor(), SocketFamily::kTcp), to.data(), to.length(),
                      [&](std::error_code, OwnedFd) { ++told; });
  };
  loop.connectTo(to, client, SocketFamily::kTcp);
  loop.runUntil([&] { return client.made() && server.made(); }, "the connection");

  loop.destroy();

  BOOST_TEST(endedOnce(client));
  BOOST_TEST(told == 1);
}

BOOST_AUTO_TEST_CASE(no_descriptor_is_left_behind) {
  const std::size_t before = openDescriptors();

  {
    Crowd crowd(20);
    crowd.connect();
    for (std::size_t i = 0; i < 10; ++i) crowd.clients[i]->transport().abortConnection();
    crowd.loop.settle();
  }

  BOOST_TEST(openDescriptors() == before);
}

// --- Others, from inside a callback -------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_first_to_hear_may_end_all_others_that_are_due_in_the_same_turn) {
  Crowd crowd(10);
  crowd.connect();
  for (const auto& side : crowd.servers) side->transport().loseWriteConnection();
  crowd.loop.settle();  // From now on a close is over inside the call.
  int heard = 0;
  for (const auto& side : crowd.servers) {
    side->onData = [&](Bytes) {
      if (heard++ > 0) return;
      for (const auto& other : crowd.servers) {
        if (other->connected()) other->transport().loseConnection();
      }
    };
  }

  for (const auto& side : crowd.clients) side->transport().write(asBytes("all at once"));
  crowd.loop.runUntil(
      [&] { return std::ranges::all_of(crowd.servers, [](auto& side) { return side->lost; }); },
      "the end of all");
  crowd.loop.settle();

  BOOST_TEST(heard == 1);
  for (const auto& side : crowd.servers) BOOST_TEST(endedOnce(*side));
}

BOOST_AUTO_TEST_CASE(each_may_abort_all_others) {
  Crowd crowd(10);
  crowd.connect();
  for (const auto& side : crowd.servers) {
    side->onData = [&](Bytes) {
      for (const auto& other : crowd.servers) {
        if (other->connected() && other != side) other->transport().abortConnection();
      }
    };
  }

  for (const auto& side : crowd.clients) side->transport().write(asBytes("all at once"));
  crowd.loop.settle();
  for (const auto& side : crowd.clients) {
    if (side->connected()) side->transport().abortConnection();
  }
  crowd.loop.runUntil([&] { return crowd.allLost(); }, "the end of all");

  const auto heard = [](const auto& side) { return side->heard("data"); };
  BOOST_TEST(std::ranges::count_if(crowd.servers, heard) == 1);
  for (const auto& side : crowd.servers) BOOST_TEST(endedOnce(*side));
}

BOOST_AUTO_TEST_CASE(an_end_may_end_others) {
  Crowd crowd(10);
  crowd.connect();
  for (std::size_t i = 0; i + 1 < 10; ++i) {
    crowd.servers[i]->onLost = [&, i](std::error_code) {
      if (crowd.servers[i + 1]->connected()) crowd.servers[i + 1]->transport().abortConnection();
    };
  }

  crowd.servers.front()->transport().abortConnection();
  crowd.loop.runUntil([&] { return crowd.allLost(); }, "the end of all");

  for (const auto& side : crowd.clients) BOOST_TEST(endedOnce(*side));
  for (const auto& side : crowd.servers) BOOST_TEST(endedOnce(*side));
}

BOOST_AUTO_TEST_CASE(a_listener_may_stop_from_inside_its_factory) {
  Recorder client, server;
  ReactorFixture loop;
  Listener* listener = nullptr;
  listener = &loop.listen([&] {
    listener->stopListening();
    return server.makeProtocol();
  });
  loop.connectTo(addressOf(listener->descriptor()), client, SocketFamily::kTcp);

  loop.runUntil([&] { return server.made() && client.made(); }, "the connection");
  client.transport().write(asBytes("lives on"));
  loop.runUntil([&] { return server.received == "lives on"; }, "the bytes");

  BOOST_TEST(!server.lost);
}

BOOST_AUTO_TEST_CASE(a_new_connection_may_be_opened_where_the_old_one_ends) {
  Recorder server, second;
  std::vector<std::unique_ptr<Recorder>> clients;
  int accepted = 0;
  ReactorFixture loop;
  Listener& listener = loop.listen([&]() -> std::unique_ptr<Protocol> {
    ++accepted;
    return std::make_unique<CountedProtocol>(accepted);
  });
  const SocketAddress to = addressOf(listener.descriptor());
  int made = 0;
  std::function<void()> open = [&] {
    clients.push_back(std::make_unique<Recorder>());
    Recorder& client = *clients.back();
    client.onMade = [&](Transport& transport) {
      ++made;
      transport.abortConnection();
    };
    client.onLost = [&](std::error_code) {
      if (made < 20) open();
    };
    loop.connectTo(to, client, SocketFamily::kTcp);
  };

  open();
  loop.runUntil([&] { return made == 20 && clients.back()->lost; }, "20 connections in a row");

  for (const auto& client : clients) BOOST_TEST(endedOnce(*client));
}

BOOST_AUTO_TEST_CASE(a_producer_may_die_in_each_of_its_own_calls) {
  for (const char* where : {"pause", "resume", "pull", "stop"}) {
    BOOST_TEST_CONTEXT(where) {
      const std::string name = where;
      Recorder client, server;
      auto producer = std::make_unique<ScriptedProducer>();
      ReactorFixture loop;
      loop.connect(client, server);
      Transport& transport = client.transport();
      const auto die = [&] {
        if (!client.lost) transport.unregisterProducer();
        producer.reset();
      };
      (name == "pause"  ? producer->onPause
       : name == "stop" ? producer->onStop
                        : producer->onResume) = die;

      transport.registerProducer(*producer,
                                 name == "pull" ? Production::kPull : Production::kStreaming);
      if (name == "stop") transport.abortConnection();
      if (producer) transport.write(asBytes(std::string(1 << 20, 'x')));
      loop.runUntil([&] { return !producer; }, "the producer's end");
      if (name == "stop") continue;
      transport.write(asBytes("more"));
      loop.runUntil([&] { return server.received.ends_with("more"); }, "the bytes");

      BOOST_TEST(!transport.producer());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_producer_may_die_soon_after_it_unregistered) {
  Recorder client, server;
  auto producer = std::make_unique<ScriptedProducer>();
  ReactorFixture loop;
  loop.connect(client, server);
  producer->onResume = [&] {
    client.transport().unregisterProducer();
    loop->callSoon([&] { producer.reset(); });
  };
  client.transport().registerProducer(*producer, Production::kStreaming);

  client.transport().write(asBytes(std::string(1 << 20, 'x')));
  loop.runUntil([&] { return !producer; }, "the producer's end");
  client.transport().write(asBytes(std::string(1 << 20, 'x')));
  loop.runUntil([&] { return server.received.size() == (2U << 20); }, "the bytes");

  BOOST_TEST(!client.transport().producer());
}

// --- Peers that vanish --------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_peer_that_vanishes_in_the_middle_of_a_write_ends_the_connection_only,
                     *precondition(onRealKernel)) {
  for (const SocketFamily family : {SocketFamily::kTcp, SocketFamily::kUnix}) {
    Recorder server, bystander, bystanderPeer;
    ScriptedProducer producer;
    ReactorFixture loop;
    loop.connect(bystander, bystanderPeer);
    OwnedFd peer = loop.connectRawPeer(server, family, useSmallBuffers);
    Transport& transport = server.transport();
    transport.registerProducer(producer, Production::kStreaming);

    transport.write(asBytes(std::string(kMoreThanSmallBuffers, 'x')));
    loop.settle();
    BOOST_TEST(transport.bufferedBytes() > 0U);
    peer.reset();
    for (int i = 0; i < 5 && server.connected(); ++i) {
      transport.write(asBytes("more"));
      loop.settle();
    }
    loop.runUntil([&] { return server.lost; }, "the end");

    // The reason is not looked at: the kernel tells a reset once, and when a send that it cut short
    // takes it, the receive sees a clean end.
    BOOST_TEST(endedOnce(server));
    BOOST_TEST(producer.count("stop") == 1);
    bystander.transport().write(asBytes("alive"));
    loop.runUntil([&] { return bystanderPeer.received == "alive"; }, "the bystander");
  }
}

BOOST_AUTO_TEST_CASE(connections_given_up_before_they_were_accepted_harm_nothing,
                     *precondition(onRealKernel)) {
  std::vector<std::unique_ptr<Recorder>> servers;
  ReactorFixture loop;
  Listener& listener = loop.listen([&] {
    servers.push_back(std::make_unique<Recorder>());
    return servers.back()->makeProtocol();
  });
  const SocketAddress to = addressOf(listener.descriptor());

  for (int i = 0; i < 30; ++i) {
    OwnedFd peer = connectRaw(to);
    const linger immediately{1, 0};
    if (i % 2) ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
  }
  loop.settle();
  OwnedFd last = connectRaw(to);
  loop.runUntil([&] { return !servers.empty() && !servers.back()->lost; }, "one that stays");

  BOOST_TEST(std::ranges::all_of(servers.begin(), servers.end() - 1,
                                 [](const auto& side) { return endedOnce(*side); }));
}

BOOST_AUTO_TEST_CASE(a_listener_may_be_closed_with_connections_pending,
                     *precondition(onRealKernel)) {
  std::vector<std::unique_ptr<Recorder>> servers;
  ReactorFixture loop;
  Listener& listener = loop.listen([&] {
    servers.push_back(std::make_unique<Recorder>());
    return servers.back()->makeProtocol();
  });
  const SocketAddress to = addressOf(listener.descriptor());
  std::vector<OwnedFd> peers;
  for (int i = 0; i < 10; ++i) peers.push_back(connectRaw(to));

  listener.stopListening();
  const std::size_t served = servers.size();  // Those that the kernel had accepted for us.
  loop.settle();

  std::array<char, 1> byte;
  const auto ended = [&](const OwnedFd& peer) {
    return ::recv(peer.get(), byte.data(), 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET;
  };
  const std::size_t refused = std::ranges::count_if(peers, ended);
  BOOST_TEST(served + refused == peers.size());
  BOOST_TEST(servers.size() == served);
}

// --- Many ---------------------------------------------------------------------------------------

// What comes for a connection that is closing is dropped. Were it kept, a loop whose receive
// buffers are shared would have used them up.
BOOST_AUTO_TEST_CASE(bytes_dropped_for_connections_that_close_keep_no_other_from_receiving) {
  constexpr std::size_t kMoreThanBuffers = 100;
  Recorder client, server;
  std::vector<ScriptedProducer> producers(kMoreThanBuffers);
  Crowd crowd(kMoreThanBuffers);
  crowd.connect();
  crowd.loop.turn(3);  // All of them read.

  for (std::size_t i = 0; i < kMoreThanBuffers; ++i) {
    Transport& closing = crowd.servers[i]->transport();
    closing.registerProducer(producers[i], Production::kStreaming);
    closing.loseConnection();
    crowd.clients[i]->transport().write(asBytes(std::string(10'000, 'x')));
  }
  crowd.loop.settle();
  for (const auto& side : crowd.servers) {
    BOOST_TEST_REQUIRE(side->connected());  // It waits for its producer.
    side->transport().unregisterProducer();
  }
  for (const auto& side : crowd.clients) {
    if (side->connected()) side->transport().abortConnection();
  }
  crowd.loop.runUntil([&] { return crowd.allLost(); }, "the end of all");

  crowd.loop.connect(client, server);
  client.transport().write(asBytes("ping"));
  server.transport().write(asBytes("pong"));
  crowd.loop.runUntil([&] { return server.received == "ping" && client.received == "pong"; },
                      "what a fresh connection receives");
  for (const auto& side : crowd.servers) BOOST_TEST(!side->heard("data"));
  client.transport().abortConnection();
  crowd.loop.runUntil([&] { return client.lost && server.lost; }, "its end");
}

// --- At random ----------------------------------------------------------------------------

namespace {

// Opens connections and does things to them at random until `total` have come and gone.
class Churn {
 public:
  explicit Churn(int total) : total_(total), random_(testSeed()) {}

  void run() {
    listener_ = &loop_.listen([this] { return add().makeProtocol(); });
    while (opened_ < total_ || living() > 0) {
      if (opened_ < total_ && living() < 100) open();
      for (int i = 0; i < 5; ++i) doSomething();
      loop_->iterate(opened_ < total_ ? Duration::zero() : Duration(std::chrono::milliseconds(1)));
      if (opened_ == total_) endOne();
    }
    loop_.settle();
  }

  const std::vector<std::unique_ptr<Recorder>>& sides() const { return sides_; }
  const std::vector<std::string>& logLines() const { return loop_.logLines(); }

 private:
  Recorder& add() {
    sides_.push_back(std::make_unique<Recorder>());
    Recorder& side = *sides_.back();
    side.keepsData = false;
    side.halfCloseable = random_() % 2 == 0;
    side.onData = [this, &side](Bytes bytes) {
      if (random_() % 4 == 0) act(side.transport());
      if (side.connected() && random_() % 2 == 0) side.transport().write(bytes);
    };
    side.onReadLost = [&side] { side.transport().loseConnection(); };
    return side;
  }

  void open() {
    ++opened_;
    loop_.connectTo(addressOf(listener_->descriptor()), add(), SocketFamily::kTcp);
  }

  std::ptrdiff_t living() const {
    return std::ranges::count_if(sides_, [](const auto& side) { return !side->lost; });
  }

  void doSomething() {
    Recorder& side = *sides_[random_() % sides_.size()];
    if (side.connected()) act(side.transport());
  }

  void act(Transport& transport) {
    switch (random_() % 8) {
      case 0:
        return transport.loseConnection();
      case 1:
        return transport.abortConnection();
      case 2:
        return transport.loseWriteConnection();
      case 3:
        return transport.pauseProducing();
      case 4:
        return transport.resumeProducing();
      default:
        return transport.write(asBytes(std::string(random_() % 20'000 + 1, 'r')));
    }
  }

  void endOne() {
    const auto alive = std::ranges::find_if(sides_, [](const auto& s) { return s->connected(); });
    if (alive != sides_.end()) (*alive)->transport().abortConnection();
  }

  int total_;
  int opened_ = 0;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Recorder>> sides_;
  Listener* listener_ = nullptr;
  ReactorFixture loop_;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_thousand_connections_opened_and_dropped_at_random) {
  Churn churn(testBackend().simulated ? 200 : 1000);

  churn.run();

  BOOST_TEST(churn.logLines().empty());
  BOOST_TEST(std::ranges::all_of(churn.sides(), [](const auto& side) { return endedOnce(*side); }));
}

BOOST_AUTO_TEST_SUITE_END()
