// What the owner of a listener may ask of it: to pause, to keep to a number, to end with grace, to
// share its socket, to hand over what it accepts, and to tell of its end.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/scripted_producer.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cerrno>
#include <list>
#include <memory>
#include <stdexcept>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(listener_test)

namespace {

struct Listening {
  std::list<Recorder> clients, servers;
  ReactorFixture loop;
  Listener* listener = nullptr;
  SocketAddress to;

  std::unique_ptr<Protocol> make() { return servers.emplace_back().makeProtocol(); }
  ProtocolFactory factory() {
    return [this] { return make(); };
  }
  void listen(ProtocolFactory factory) {
    listener = &loop.listen(std::move(factory));
    to = addressOf(listener->descriptor());
  }
  void listen() { listen(factory()); }

  void connect(std::size_t count = 1) {
    for (std::size_t i = 0; i < count; ++i) {
      loop.connectTo(to, clients.emplace_back(), SocketFamily::kTcp);
    }
  }
  void waitForServers(std::size_t count) {
    loop.runUntil([&] { return servers.size() == count; }, "the accepts");
  }
  void waitForClients() {
    loop.runUntil([&] { return std::ranges::all_of(clients, &Recorder::made); }, "the connects");
  }
  std::ptrdiff_t refused() const { return std::ranges::count_if(clients, &Recorder::lost); }
};

// Another descriptor of the same socket, as a parent process or a service manager keeps one.
OwnedFd copyOf(int fd) { return OwnedFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

Duration processorTime() {
  rusage use{};
  ::getrusage(RUSAGE_SELF, &use);
  const auto duration = [](const timeval& time) {
    return std::chrono::seconds(time.tv_sec) + std::chrono::microseconds(time.tv_usec);
  };
  return duration(use.ru_utime) + duration(use.ru_stime);
}

bool sees(const OwnedFd& client, ssize_t wanted) {
  char byte;
  return ::recv(client.get(), &byte, 1, MSG_DONTWAIT) == wanted;
}

}  // namespace

// --- Pausing and a limit ------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_paused_listener_accepts_again_once_resumed, Listening) {
  listen();
  connect();
  waitForServers(1);

  listener->pause();
  const std::size_t before = servers.size();
  connect(3);
  waitForClients();
  loop.settle();
  const std::size_t meanwhile = servers.size();
  listener->resume();
  waitForServers(4);

  BOOST_TEST(meanwhile == before);
  BOOST_TEST(refused() == 0);
}

BOOST_FIXTURE_TEST_CASE(a_listener_may_be_paused_in_its_factory, Listening) {
  listen([this] {
    listener->pause();
    return make();
  });
  connect(5);
  waitForClients();
  loop.settle();
  const std::size_t atFirst = servers.size();

  while (servers.size() < 5) {
    const std::size_t before = servers.size();
    listener->resume();
    loop.runUntil([&] { return servers.size() > before; }, "the next");
  }

  BOOST_TEST(atFirst < 5U);
  BOOST_TEST(refused() == 0);
}

BOOST_FIXTURE_TEST_CASE(no_more_are_accepted_than_may_live_at_a_time, Listening) {
  listen();
  listener->setMostConnections(2);
  connect(5);
  waitForClients();
  loop.settle();
  BOOST_TEST(servers.size() == 2U);
  BOOST_TEST(listener->connections() == 2U);

  for (std::size_t accepted = 3; accepted <= 5; ++accepted) {
    const auto living = std::ranges::find(servers, false, &Recorder::lost);
    living->transport().loseConnection();
    waitForServers(accepted);
    loop.settle();
    BOOST_TEST(servers.size() == accepted);
    BOOST_TEST(listener->connections() == 2U);
  }
}

BOOST_FIXTURE_TEST_CASE(a_higher_limit_counts_at_once_and_a_lower_one_ends_nothing, Listening) {
  listen();
  listener->setMostConnections(1);
  connect(4);
  waitForClients();
  loop.settle();
  BOOST_TEST(servers.size() == 1U);

  listener->setMostConnections(3);
  waitForServers(3);
  listener->setMostConnections(1);
  loop.settle();

  BOOST_TEST(servers.size() == 3U);
  BOOST_TEST(std::ranges::none_of(servers, &Recorder::lost));
}

BOOST_FIXTURE_TEST_CASE(connections_may_outlive_their_listener, Listening) {
  listen();
  connect();
  waitForServers(1);
  waitForClients();

  listener->stopListening();
  loop.settle();
  clients.front().transport().loseConnection();
  loop.runUntil([&] { return servers.front().lost; }, "the end");
}

// --- The end ------------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(stopping_twice_in_a_turn_is_stopping_once, Listening) {
  listen();

  listener->stopListening();
  listener->stopListening();

  BOOST_TEST(listener->descriptor() == -1);
  loop.settle();
}

BOOST_FIXTURE_TEST_CASE(after_it_was_stopped_the_factory_is_not_called, Listening) {
  constexpr std::size_t kMany = 40;
  listen();
  listener->pause();
  connect(kMany);
  waitForClients();
  listener->resume();
  loop.runUntil([&] { return !servers.empty(); }, "the first");

  listener->stopListening();
  const std::size_t served = servers.size();
  loop.runUntil([&] { return served + refused() == kMany; }, "the refusal of the others");
  loop.settle();

  BOOST_TEST(servers.size() == served);
  BOOST_TEST(std::ranges::none_of(servers, &Recorder::lost));
}

// Many accepts are in flight then, some of them just woken in vain.
BOOST_FIXTURE_TEST_CASE(a_pause_after_a_burst_ends_all_accepts_at_once, Listening) {
  constexpr std::size_t kBurst = 40;
  listen();
  connect(kBurst);
  waitForServers(kBurst);
  waitForClients();

  const TimePoint before = loop->now();
  listener->pause();
  const Duration took = loop->now() - before;
  connect(5);
  loop.settle();

  BOOST_TEST((took < 500ms));
  BOOST_TEST(servers.size() == kBurst);
  listener->resume();
  waitForServers(kBurst + 5);
}

BOOST_FIXTURE_TEST_CASE(a_limit_that_is_lowered_counts_for_accepts_that_are_in_flight, Listening) {
  constexpr std::size_t kBurst = 40;
  listen();
  connect(kBurst);  // Many come at once, and so as many accepts as there may be wait for more.
  waitForServers(kBurst);
  waitForClients();

  listener->setMostConnections(kBurst + 1);
  connect(5);
  loop.settle();

  BOOST_TEST(servers.size() == kBurst + 1);
}

BOOST_FIXTURE_TEST_CASE(a_drained_listener_asks_its_connections_to_end, Listening) {
  int done = 0;
  listen();
  connect(3);
  waitForServers(3);
  waitForClients();
  servers.front().transport().write(asBytes("the rest"));

  listener->drain(10s, [&] { ++done; });
  const int inside = done;
  loop.runUntil([&] { return done > 0; }, "the drain");

  BOOST_TEST(inside == 0);
  BOOST_TEST(std::ranges::all_of(servers, [](const Recorder& r) { return r.lost && !r.why; }));
  loop.runUntil([&] { return refused() == 3; }, "the end of the clients");
  BOOST_TEST(std::ranges::count(clients, "the rest", &Recorder::received) == 1);
  loop.settle();
  BOOST_TEST(done == 1);
}

BOOST_FIXTURE_TEST_CASE(what_has_not_ended_when_a_drain_is_over_is_reset, Listening) {
  struct Endless final : Producer {
    void resumeProducing() override {}
    void pauseProducing() override {}
    void stopProducing() override {}
  };
  Endless endless;
  Recorder bystander, other;
  bool done = false;
  Listening& test = *this;
  test.loop.connect(other, bystander);
  listen();
  connect(2);
  waitForServers(2);
  waitForClients();
  servers.front().transport().registerProducer(endless, Production::kStreaming);

  const TimePoint before = loop->now();
  listener->drain(50ms, [&] { done = true; });
  loop.runUntil([&] { return done; }, "the drain");

  BOOST_TEST((loop->now() - before >= 50ms));
  BOOST_TEST((servers.front().why == ConnectionError::kAborted));
  BOOST_TEST(!servers.back().why);
  BOOST_TEST(!bystander.lost);
  loop.destroy();
}

BOOST_FIXTURE_TEST_CASE(a_drain_of_nothing_is_soon_done, Listening) {
  bool done = false;
  listen();

  listener->drain(10s, [&] { done = true; });
  const bool inside = done;
  loop.runUntil([&] { return done; }, "the drain", 5s);

  BOOST_TEST(!inside);
}

BOOST_FIXTURE_TEST_CASE(a_drain_from_the_factory_ends_that_connection_too, Listening) {
  bool done = false;
  listen([this, &done] {
    listener->drain(10s, [&] { done = true; });
    return make();
  });
  connect();
  loop.runUntil([&] { return done; }, "the drain", 5s);

  BOOST_TEST(servers.size() == 1U);
  BOOST_TEST(servers.front().lost);
}

BOOST_FIXTURE_TEST_CASE(a_drain_is_done_when_the_reactor_ends, Listening) {
  int done = 0;
  listen();
  connect();
  waitForServers(1);
  waitForClients();
  listener->drain(10s, [&] { ++done; });

  loop.destroy();

  BOOST_TEST(done == 1);
}

// The listener comes first, and its connection, which waits for a producer, ends after the drain.
BOOST_FIXTURE_TEST_CASE(a_drain_that_the_end_of_the_loop_cuts_short_is_done_once, Listening) {
  int done = 0;
  ScriptedProducer endless;
  listen();
  connect();
  waitForServers(1);
  waitForClients();
  servers.front().transport().registerProducer(endless, Production::kStreaming);
  listener->drain(10s, [&] { ++done; });

  loop->callSoon([&] { loop->stop(); });
  loop->run();

  BOOST_TEST(done == 1);
}

BOOST_FIXTURE_TEST_CASE(a_drain_needs_a_listener_and_somebody_to_tell, Listening) {
  listen();

  BOOST_CHECK_THROW(listener->drain(1s, nullptr), std::invalid_argument);
  BOOST_CHECK_THROW(listener->drain(-1s, [] {}), std::invalid_argument);
  listener->stopListening();
  BOOST_CHECK_THROW(listener->drain(1s, [] {}), std::logic_error);
}

BOOST_FIXTURE_TEST_CASE(the_end_of_the_reactor_is_told_and_being_stopped_is_not, Listening) {
  std::vector<std::error_code> told;
  listen();
  listener->onLost([&](std::error_code why) { told.push_back(why); });
  listener->stopListening();
  listen();
  listener->onLost([&](std::error_code why) { told.push_back(why); });

  loop.destroy();

  BOOST_TEST(told.size() == 1U);
  BOOST_TEST((told.front() == ConnectionError::kLost));
}

// --- The hook -----------------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(what_was_accepted_can_be_taken_by_a_hook, Listening) {
  std::vector<OwnedFd> taken;
  std::vector<SocketAddress> peers;
  listen([] { return nullptr; });
  listener->onAccepted([&](OwnedFd fd, const SocketAddress& peer) {
    taken.push_back(std::move(fd));
    peers.push_back(peer);
    return OwnedFd();
  });
  connect(2);
  loop.runUntil([&] { return taken.size() == 2; }, "the accepts");
  waitForClients();

  BOOST_TEST(listener->connections() == 0U);
  Recorder late;
  loop->openStream(std::move(taken.front()), late.makeProtocol(), peers.front());
  clients.front().transport().write(asBytes("hello"));
  clients.back().transport().write(asBytes("hello"));
  loop.runUntil([&] { return late.received == "hello"; }, "the bytes");
  loop.destroy();
}

BOOST_FIXTURE_TEST_CASE(a_hook_may_look_and_leave_it, Listening) {
  int looked = 0;
  listen();
  listener->onAccepted([&](OwnedFd fd, const SocketAddress&) {
    ++looked;
    return fd;
  });

  connect(2);
  waitForServers(2);

  BOOST_TEST(looked == 2);
}

BOOST_FIXTURE_TEST_CASE(an_exception_from_a_hook_refuses_the_connection, Listening) {
  listen();
  listener->onAccepted(
      [](OwnedFd, const SocketAddress&) -> OwnedFd { throw std::runtime_error("no"); });

  connect();
  loop.runUntil([&] { return refused() == 1; }, "the refusal");

  BOOST_TEST(servers.empty());
  BOOST_TEST(loop.logLines().size() == 1U);
}

// --- A socket that others hold too --------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(who_shares_a_socket_serves_those_that_the_other_leaves, Listening,
                        *precondition(onRealKernel)) {
  constexpr std::size_t kClients = 20;
  for (const int turns : {0, 1, 2, 3}) {
    std::list<Recorder> successors;
    std::vector<OwnedFd> peers;
    servers.clear();
    listen();
    loop->openListener(copyOf(listener->descriptor()),
                       [&] { return successors.emplace_back().makeProtocol(); });
    loop.turn(2);

    for (std::size_t i = 0; i < kClients; ++i) peers.push_back(connectRaw(to));
    loop.turn(turns);
    listener->stopListening();
    const std::size_t served = servers.size();
    loop.runUntil([&] { return served + successors.size() == kClients; }, "all to be served");
    loop.settle();

    BOOST_TEST(servers.size() == served);
    BOOST_TEST(std::ranges::none_of(peers, [](const OwnedFd& peer) { return sees(peer, 0); }));
    BOOST_TEST(std::ranges::none_of(servers, &Recorder::lost));
    loop->disconnectAll();
    loop.settle();
  }
}

BOOST_FIXTURE_TEST_CASE(a_stopped_listener_whose_socket_lives_on_hears_nothing, Listening,
                        *precondition(onRealKernel)) {
  listen();
  const OwnedFd copy = copyOf(listener->descriptor());
  loop.turn(2);

  listener->stopListening();
  loop.turn(2);
  const OwnedFd client = connectRaw(to);
  int turns = 0;
  const TimePoint end = loop->now() + 100ms;
  for (; loop->now() < end; ++turns) loop->iterate(end - loop->now());

  BOOST_TEST(servers.empty());
  BOOST_TEST(turns < 10);
}

// On epoll it would block for good, and on io_uring fail each accept.
BOOST_FIXTURE_TEST_CASE(another_holder_may_change_the_mode_of_the_socket, Listening,
                        *precondition(onRealKernel)) {
  listen();
  const OwnedFd copy = copyOf(listener->descriptor());
  loop.turn(2);
  const int flags = ::fcntl(copy.get(), F_GETFL);
  std::vector<OwnedFd> peers;

  for (std::size_t served = 1; served <= 6; ++served) {
    ::fcntl(copy.get(), F_SETFL, served % 2 ? flags ^ O_NONBLOCK : flags);
    peers.push_back(connectRaw(to));
    waitForServers(served);
    loop.turn(3);
  }
  int turns = 0;
  const Duration before = processorTime();
  const TimePoint end = loop->now() + 200ms;
  for (; loop->now() < end; ++turns) loop->iterate(end - loop->now());

  BOOST_TEST(turns < 20);
  BOOST_TEST((processorTime() - before < 100ms));
  BOOST_TEST(std::ranges::none_of(servers, &Recorder::lost));
}

// The other takes what both were told of, so that the accept finds nobody.
BOOST_FIXTURE_TEST_CASE(a_socket_that_blocks_holds_nobody_up_when_another_was_faster, Listening,
                        *precondition(onRealKernel)) {
  listen();
  const OwnedFd copy = copyOf(listener->descriptor());
  loop.turn(2);
  ::fcntl(copy.get(), F_SETFL, ::fcntl(copy.get(), F_GETFL) & ~O_NONBLOCK);
  std::vector<OwnedFd> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(connectRaw(to));
  waitForServers(3);  // More were tried than waited.

  bool ticked = false;
  loop->callLater(1ms, [&] { ticked = true; });
  loop.runUntil([&] { return ticked; }, "a timer", 2s);
}

BOOST_FIXTURE_TEST_CASE(a_paused_listener_whose_socket_is_shut_down_costs_nothing, Listening,
                        *precondition(onRealKernel)) {
  listen();
  loop.turn(2);
  listener->pause();
  BOOST_REQUIRE(::shutdown(listener->descriptor(), SHUT_RDWR) == 0);

  int turns = 0;
  const TimePoint end = loop->now() + 100ms;
  for (; loop->now() < end; ++turns) loop->iterate(end - loop->now());
  std::error_code why;
  listener->onLost([&](std::error_code error) { why = error; });
  listener->resume();
  loop.runUntil([&] { return !!why; }, "the listener's end");

  BOOST_TEST(turns < 10);
  BOOST_TEST((why == std::errc::invalid_argument));
  listener->stopListening();
}

BOOST_AUTO_TEST_SUITE_END()
