// Faults that a test orders, and peers that it plays: what docs/simulation.md promises.
#include <boost/test/unit_test.hpp>

#include <penstock/runtime/reactor.h>
#include <penstock/sim/kernel.h>
#include <penstock/sim/peer.h>
#include <penstock/tests/support/printing.h>
#include <penstock/transports/tcp.h>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using namespace penstock;

BOOST_AUTO_TEST_SUITE(simulated_faults_test)

namespace {

using namespace std::chrono_literals;
using sim::Call;

// What the service's protocol heard.
struct Heard {
  std::vector<std::string> deliveries;
  std::string all;
  std::error_code why;
  bool lost = false;
  int made = 0;
};

class Echo final : public Protocol {
 public:
  explicit Echo(Heard& heard) : heard_(heard) {}
  void connectionMade(Transport&) override { ++heard_.made; }
  void dataReceived(Bytes bytes) override {
    heard_.deliveries.emplace_back(asText(bytes));
    heard_.all += asText(bytes);
    transport().write(bytes);
  }
  void connectionLost(std::error_code why) override {
    heard_.why = why;
    heard_.lost = true;
  }

 private:
  Heard& heard_;
};

// An echo server of one family on a kernel without any faults but those that are ordered.
struct Service {
  explicit Service(Backend backend)
      : kernel(1, sim::Faults::none()), reactor(Reactor::create({.backend = backend})) {
    listenTcp(*reactor, address, [this] { return std::make_unique<Echo>(heard); });
  }

  template <class Done>
  bool eventually(Done done) {
    for (const TimePoint limit = reactor->now() + 1min; reactor->now() < limit;) {
      if (done()) return true;
      reactor->iterate(10ms);
    }
    return false;
  }

  // What `peer` hears in this much virtual time.
  std::string hearFor(sim::Peer& peer, Duration time) {
    std::string all;
    const TimePoint end = reactor->now() + time;
    while (reactor->now() < end) {
      reactor->iterate(1ms);
      all += peer.receive();
    }
    return all;
  }

  sim::Kernel kernel;
  Heard heard;
  const Address address = Address::parse("127.0.0.1:8007");
  std::unique_ptr<Reactor> reactor;
};

#ifdef PENSTOCK_WITH_URING
const std::vector<Backend> kBackends{Backend::kEpoll, Backend::kUring};
#else
const std::vector<Backend> kBackends{Backend::kEpoll};
#endif

}  // namespace

BOOST_AUTO_TEST_CASE(a_peer_talks_to_a_service_and_hears_its_end) {
  for (const Backend backend : kBackends) {
    Service service(backend);
    sim::Peer peer(service.kernel, service.address);

    peer.send("hello");
    std::string answer;
    BOOST_TEST(service.eventually([&] { return (answer += peer.receive()) == "hello"; }));
    peer.shutdownOutput();

    BOOST_TEST(service.eventually([&] { return peer.receive().empty() && peer.ended(); }));
    BOOST_TEST(service.heard.lost);
  }
}

BOOST_AUTO_TEST_CASE(a_peer_that_resets_is_an_error_of_the_connection) {
  for (const Backend backend : kBackends) {
    Service service(backend);
    sim::Peer peer(service.kernel, service.address);
    BOOST_TEST(service.eventually([&] { return service.heard.made == 1; }));

    peer.reset();

    BOOST_TEST(service.eventually([&] { return service.heard.lost; }));
    BOOST_TEST((service.heard.why == std::errc::connection_reset));
  }
}

BOOST_AUTO_TEST_CASE(a_peer_hears_what_arrived_before_a_reset_and_then_of_it) {
  sim::Kernel kernel(1, sim::Faults::none());
  auto [near, far] = kernel.pair(0, AF_INET);
  sim::Peer one(kernel, std::move(near));
  sim::Peer other(kernel, std::move(far));
  one.send("hello");

  one.reset();

  BOOST_TEST(other.receive() == "hello");
  BOOST_CHECK_THROW(other.receive(), std::system_error);
}

BOOST_AUTO_TEST_CASE(nobody_listening_refuses_a_peer) {
  sim::Kernel kernel(1);

  BOOST_CHECK_THROW(sim::Peer(kernel, Address::parse("127.0.0.1:9")), std::system_error);
}

BOOST_AUTO_TEST_CASE(an_ordered_delay_of_a_send_is_the_peers_wait) {
  for (const Backend backend : kBackends) {
    Service service(backend);
    sim::Peer peer(service.kernel, service.address);
    service.kernel.delayNext(Call::kSend, 5s);
    const TimePoint asked = service.kernel.now();

    peer.send("late");
    std::string answer;
    BOOST_TEST(service.eventually([&] { return (answer += peer.receive()) == "late"; }));

    BOOST_TEST(service.kernel.now() - asked >= 5s);
    BOOST_TEST(service.kernel.now() - asked < 6s);
    peer.send("soon");
    BOOST_TEST(service.hearFor(peer, 10ms) == "soon");
  }
}

BOOST_AUTO_TEST_CASE(an_ordered_delay_of_a_receive_is_the_services_wait) {
  for (const Backend backend : kBackends) {
    Service service(backend);
    sim::Peer peer(service.kernel, service.address);
    service.kernel.delayNext(Call::kReceive, 5s);
    const TimePoint asked = service.kernel.now();

    peer.send("late");
    BOOST_TEST(service.eventually([&] { return service.heard.all == "late"; }));

    BOOST_TEST(service.kernel.now() - asked >= 5s);
    BOOST_TEST(service.kernel.now() - asked < 6s);
  }
}

BOOST_AUTO_TEST_CASE(an_ordered_cut_of_a_receive_makes_two_of_it) {
  for (const Backend backend : kBackends) {
    Service service(backend);
    sim::Peer peer(service.kernel, service.address);
    service.kernel.cutNext(Call::kReceive, 3);

    peer.send("hello");

    BOOST_TEST(service.eventually([&] { return service.heard.all == "hello"; }));
    BOOST_TEST_REQUIRE(service.heard.deliveries.size() == 2U);
    BOOST_TEST(service.heard.deliveries[0] == "hel");
  }
}

BOOST_AUTO_TEST_CASE(an_ordered_cut_of_a_send_loses_nothing) {
  for (const Backend backend : kBackends) {
    Service service(backend);
    sim::Peer peer(service.kernel, service.address);
    service.kernel.cutNext(Call::kSend, 1);

    peer.send("hello");

    std::string answer;
    BOOST_TEST(service.eventually([&] { return (answer += peer.receive()) == "hello"; }));
  }
}

BOOST_AUTO_TEST_CASE(a_peer_takes_as_much_as_its_window_lets_through) {
  for (const Backend backend : kBackends) {
    Service service(backend);
    sim::Peer peer(service.kernel, service.address);
    service.kernel.setWindow(peer.descriptor(), 3);

    peer.send("hello");
    BOOST_TEST(service.hearFor(peer, 1s) == "hel");

    service.kernel.setWindow(peer.descriptor(), SIZE_MAX);
    BOOST_TEST(service.hearFor(peer, 1s) == "lo");
  }
}

BOOST_AUTO_TEST_CASE(readiness_that_is_gone_harms_nobody) {
  sim::Kernel kernel(1, sim::Faults::none());
  Heard heard;
  const auto reactor = Reactor::create({.backend = Backend::kEpoll});
  auto [near, far] = kernel.pair(reactor->socketFlags());
  const int descriptor = near.get();
  adoptStream(*reactor, std::move(near), std::make_unique<Echo>(heard));

  kernel.reportInstead(descriptor, 1);  // EPOLLIN
  reactor->iterate();

  BOOST_TEST(heard.deliveries.empty());
  BOOST_TEST(!heard.lost);
}

BOOST_AUTO_TEST_CASE(a_send_that_fails_as_ordered_ends_the_connection) {
  for (const Backend backend : kBackends) {
    Service service(backend);
    sim::Peer peer(service.kernel, service.address);
    service.kernel.failNext(Call::kSend, EPIPE);

    peer.send("hello");

    BOOST_TEST(service.eventually([&] { return service.heard.lost; }));
    BOOST_TEST((service.heard.why == std::errc::broken_pipe));
  }
}

BOOST_AUTO_TEST_CASE(a_receive_that_is_told_to_try_again_does) {
  for (const Backend backend : kBackends) {
    Service service(backend);
    sim::Peer peer(service.kernel, service.address);
    service.kernel.failNext(Call::kReceive, EAGAIN, 3);

    peer.send("hello");

    BOOST_TEST(service.eventually([&] { return service.heard.all == "hello"; }));
  }
}

BOOST_AUTO_TEST_CASE(an_accept_that_fails_as_ordered_leaves_the_connection_waiting) {
  for (const Backend backend : kBackends) {
    Service service(backend);
    service.kernel.failNext(Call::kAccept, ENOBUFS);
    const sim::Peer peer(service.kernel, service.address);

    BOOST_TEST(service.eventually([&] { return service.heard.made == 1; }));
  }
}

BOOST_AUTO_TEST_CASE(an_order_of_no_times_takes_back_the_one_before) {
  for (const Backend backend : kBackends) {
    Service service(backend);
    sim::Peer peer(service.kernel, service.address);
    service.kernel.failNext(Call::kSend, EPIPE, 1000);

    service.kernel.failNext(Call::kSend, 0, 0);
    peer.send("hello");

    BOOST_TEST(service.hearFor(peer, 10ms) == "hello");
  }
}

BOOST_AUTO_TEST_CASE(a_connect_fails_and_comes_late_as_ordered) {
  for (const Backend backend : kBackends) {
    Heard client;
    std::error_code refused;
    Service service(backend);
    const auto connect = [&] {
      connectTcp(
          *service.reactor, service.address, [&] { return std::make_unique<Echo>(client); },
          [&](std::error_code why) { refused = why; });
    };

    service.kernel.failNext(Call::kConnect, EHOSTUNREACH);
    connect();
    BOOST_TEST(service.eventually([&] { return static_cast<bool>(refused); }));
    BOOST_TEST((refused == std::errc::host_unreachable));

    service.kernel.delayNext(Call::kConnect, 5s);
    const TimePoint asked = service.kernel.now();
    connect();
    BOOST_TEST(service.eventually([&] { return client.made == 1; }));
    BOOST_TEST(service.kernel.now() - asked >= 5s);
    service.reactor->iterate();
  }
}

BOOST_AUTO_TEST_CASE(two_reactors_of_either_family_talk_on_one_kernel) {
  for (const Backend backend : kBackends) {
    Heard client;
    Service service(backend);
    const auto other = Reactor::create({.backend = Backend::kEpoll});
    connectTcp(
        *other, service.address, [&client] { return std::make_unique<Echo>(client); },
        [](std::error_code) {});

    const bool met = service.eventually([&] {
      other->iterate();
      return client.made == 1 && service.heard.made == 1;
    });

    BOOST_TEST(met);
  }
}

BOOST_AUTO_TEST_CASE(orders_that_make_no_sense_are_refused) {
  sim::Kernel kernel(1);

  BOOST_CHECK_THROW(kernel.delayNext(Call::kAccept, 1s), std::invalid_argument);
  BOOST_CHECK_THROW(kernel.cutNext(Call::kConnect, 1), std::invalid_argument);
  BOOST_CHECK_THROW(kernel.cutNext(Call::kSend, 0), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(the_kernel_before_is_back_when_one_is_gone) {
  sim::Kernel first(1);
  const TimePoint before = first.now();
  {
    sim::Kernel second(1);
    Reactor::create({.backend = Backend::kEpoll})->iterate(1h);
    BOOST_TEST(second.now() >= before + 1h);
  }

  BOOST_TEST(first.now() == before);
  Reactor::create({.backend = Backend::kEpoll})->iterate(1s);
  BOOST_TEST(first.now() >= before + 1s);
}

BOOST_AUTO_TEST_SUITE_END()
