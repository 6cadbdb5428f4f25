// In a child that was forked after a look-up none ever ended: the pool counted the threads of the
// parent as idle, and its mutex could be held by one of them.
#include <penstock/runtime/errors.h>
#include <penstock/runtime/parts/thread_pool.h>
#include <penstock/tests/support/address_sanitizer.h>
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/forked_child.h>
#include <penstock/tests/support/once_asleep.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/transports/fork_gate.h>
#include <penstock/transports/resolver.h>
#include <penstock/transports/tcp.h>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(a_forked_child_looks_names_up_itself_test)

namespace {

// Whether `body()` is true in a forked child, which does not hang either.
bool inChild(const std::function<bool()>& body) {
  return ForkedChild([&] { return body() ? 0 : 1; }).end() == "exit 0";
}

// Whether `resolver` finds an address of "localhost" or of what its look-up knows, with a reactor
// of this process.
bool looksUp(Resolver& resolver, const std::string& host = "localhost") {
  bool found = false;
  bool told = false;
  std::unique_ptr<Reactor> reactor = makeReactor();
  resolver.resolve(*reactor, host, 80, [&](std::error_code why, std::vector<Address> addresses) {
    told = true;
    found = !why && !addresses.empty();
  });
  const TimePoint limit = reactor->now() + 10s;
  while (!told && reactor->now() < limit) reactor->iterate(10ms);
  return found;
}

// "slow" waits until the test lets it go on; every other name is found at once.
struct Names {
  Resolution lookUp(const std::string& host) {
    if (host == "slow") {
      ++waiting;
      opened.wait();
    }
    return {{}, {Address::loopback(0)}};
  }
  HostLookup lookup() {
    return [this](const std::string& host) { return lookUp(host); };
  }

  std::promise<void> open;
  std::shared_future<void> opened = open.get_future().share();
  std::atomic<int> waiting{0};
};

}  // namespace

BOOST_AUTO_TEST_CASE(the_shared_resolver_works_in_a_child_and_in_the_parent_afterwards) {
  BOOST_TEST(looksUp(Resolver::shared()));

  BOOST_TEST(inChild([] { return looksUp(Resolver::shared()); }));

  BOOST_TEST(looksUp(Resolver::shared()));
}

BOOST_AUTO_TEST_CASE(the_child_of_a_child_has_threads_of_its_own_too) {
  BOOST_TEST(looksUp(Resolver::shared()));

  BOOST_TEST(inChild([] {
    return looksUp(Resolver::shared()) && inChild([] { return looksUp(Resolver::shared()); });
  }));
}

BOOST_AUTO_TEST_CASE(a_resolver_made_before_the_fork_works_in_a_child_and_ends_there) {
  Names names;
  names.open.set_value();
  auto resolver = std::make_unique<Resolver>(names.lookup());
  BOOST_TEST(looksUp(*resolver, "any"));

  BOOST_TEST(inChild([&] {
    const bool found = looksUp(*resolver, "any");
    resolver.reset();
    return found;
  }));

  BOOST_TEST(looksUp(*resolver, "any"));
}

BOOST_AUTO_TEST_CASE(the_end_of_a_resolver_in_a_child_waits_for_no_thread_of_the_parent) {
  Names names;
  ReactorFixture loop;
  auto resolver = std::make_unique<Resolver>(names.lookup(), 1);
  bool told = false;
  resolver->resolve(loop.reactor(), "slow", 80, [&](std::error_code, auto) { told = true; });
  loop.pollUntil([&] { return names.waiting > 0; }, "the look-up to run");

  BOOST_TEST(inChild([&] {
    resolver.reset();
    return true;
  }));

  names.open.set_value();
  loop.runUntil([&] { return told; }, "the look-up of the parent");
}

BOOST_AUTO_TEST_CASE(a_look_up_that_runs_or_waits_at_the_fork_keeps_nothing_from_the_child) {
  Names names;
  ReactorFixture loop;
  Resolver resolver(names.lookup(), 1);
  int told = 0;
  const auto handler = [&](std::error_code, auto) { ++told; };
  resolver.resolve(loop.reactor(), "slow", 80, handler);
  PendingLookup& waits = resolver.resolve(loop.reactor(), "waits", 80, handler);
  loop.pollUntil([&] { return names.waiting > 0; }, "the look-up to run");

  BOOST_TEST(inChild([&] {
    waits.cancel();  // As the destructor of somebody's object does.
    return looksUp(resolver, "any");
  }));

  names.open.set_value();
  loop.runUntil([&] { return told == 2; }, "both look-ups of the parent");
}

BOOST_AUTO_TEST_CASE(a_child_connects_by_name) {
  Recorder server;
  ReactorFixture loop;
  Listener& listener =
      listenTcp(loop.reactor(), Address::loopback(0), [&] { return server.makeProtocol(); });
  const std::uint16_t port = getHost(listener).port();
  BOOST_TEST(looksUp(Resolver::shared()));

  BOOST_TEST(inChild([&] {
    Recorder client;
    bool failed = false;
    ReactorFixture own;
    connectTcp(
        own.reactor(), "localhost", port, [&] { return client.makeProtocol(); },
        [&](std::error_code) { failed = true; }, {.timeout = 10s});
    while (!failed && !client.made()) own->iterate(10ms);
    return !failed;
  }));
}

// A simulated kernel and AddressSanitizer have locks of their own, which other threads may hold at
// a fork.
boost::test_tools::assertion_result locksAreOurs(boost::unit_test::test_unit_id unit) {
  if (kAddressSanitizer) return false;
  return onRealKernel(unit);
}

// The mutexes are taken for moments: many children, forked while others look up all the time.
BOOST_AUTO_TEST_CASE(children_forked_in_the_middle_of_look_ups_look_up,
                     *boost::unit_test::precondition(locksAreOurs)) {
  Names names;
  names.open.set_value();
  Resolver resolver(names.lookup());
  std::atomic<bool> enough{false};
  std::vector<std::thread> others;
  for (int i = 0; i < 2; ++i) {
    others.emplace_back([&] {
      while (!enough) looksUp(resolver, "any");
    });
  }

  int well = 0;
  for (int i = 0; i < 20; ++i) well += inChild([&] { return looksUp(resolver, "any"); });
  enough = true;
  for (std::thread& other : others) other.join();

  BOOST_TEST(well == 20);
}

// The locks of the C library are taken for moments as well. A machine under load may let a fork's
// patience run out, but not each time.
BOOST_AUTO_TEST_CASE(a_fork_waits_for_a_look_up_of_the_system_that_is_about_to_end) {
  bool waited = false;
  for (int i = 0; i < 20 && !waited; ++i) {
    std::promise<void> entered;
    std::atomic<bool> ended{false};
    std::promise<void> end;
    std::thread lookUp([&] {
      const ForkGate gate;
      entered.set_value();
      end.get_future().wait();
      ended = true;
    });
    entered.get_future().wait();
    {
      OnceAsleep inFork([&] { end.set_value(); });
      waited = inChild([&] { return ended.load(); });
    }
    lookUp.join();
  }

  BOOST_TEST(waited);
}

BOOST_AUTO_TEST_CASE(a_fork_does_not_wait_for_ever_and_its_child_looks_up) {
  std::promise<void> entered, end;
  std::thread lookUp([&] {
    const ForkGate gate;
    entered.set_value();
    end.get_future().wait();
  });
  entered.get_future().wait();

  const bool well = inChild([] {
    return !lookUpHost("localhost").error && inChild([] { return !lookUpHost("localhost").error; });
  });
  end.set_value();
  lookUp.join();

  BOOST_TEST(well);
}

BOOST_AUTO_TEST_CASE(a_thread_pool_works_in_a_child_and_ends_there) {
  std::atomic<int> ran{0};
  auto pool = std::make_unique<ThreadPool>(2, 10);
  std::promise<void> first;
  BOOST_REQUIRE(pool->submit([&] { first.set_value(); }));
  first.get_future().wait();

  BOOST_TEST(inChild([&] {
    if (!pool->submit([&] { ++ran; })) return false;
    pool.reset();
    return ran == 1;
  }));

  std::promise<void> second;
  BOOST_REQUIRE(pool->submit([&] { second.set_value(); }));
  second.get_future().wait();
  BOOST_TEST(ran == 0);
}

BOOST_AUTO_TEST_SUITE_END()
