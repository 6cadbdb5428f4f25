// Names that nobody answers for stop neither other reactors nor, once given up, their own.
#include <penstock/runtime/errors.h>
#include <penstock/tests/transports/connecting.h>
#include <penstock/transports/resolver.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(resolver_bounds_test)

namespace {

// Finds every name at once but "silent" ones, which wait until the test lets them go.
class NameServer {
 public:
  HostLookup lookup() {
    return [this](const std::string& host) {
      if (host == "silent") waitForAnswer();
      return Resolution{{}, {Address::loopback(0)}};
    };
  }
  void answer() {
    const std::lock_guard lock(mutex_);
    answering_ = true;
    changed_.notify_all();
  }
  int waiting() {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  void waitForAnswer() {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.wait(lock, [this] { return answering_; });
    --waiting_;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool answering_ = false;
};

// Asks `server`, which answers at the latest when this ends: it waits for its threads.
class Asked final : public Resolver {
 public:
  explicit Asked(NameServer& server, ResolverOptions options = {})
      : Resolver(with(server.lookup(), std::move(options))), server_(server) {}
  ~Asked() { server_.answer(); }

 private:
  static ResolverOptions with(HostLookup lookup, ResolverOptions options) {
    options.lookup = std::move(lookup);
    return options;
  }

  NameServer& server_;
};

// The look-ups of one reactor.
struct Asking {
  std::vector<PendingLookup*> ask(Resolver& resolver, const std::string& host, int count) {
    std::vector<PendingLookup*> lookups;
    for (int i = 0; i < count; ++i) {
      lookups.push_back(&resolver.resolve(loop.reactor(), host, 80,
                                          [this](std::error_code why, std::vector<Address>) {
                                            ++told;
                                            last = why;
                                          }));
    }
    return lookups;
  }
  void waitUntilTold(int count) {
    loop.runUntil([this, count] { return told == count; }, "the look-ups");
  }

  int told = 0;
  std::error_code last;
  ReactorFixture loop;
};

void cancelAll(const std::vector<PendingLookup*>& lookups) {
  for (PendingLookup* each : lookups) each->cancel();
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_silent_names_of_one_reactor_leave_another_its_look_ups) {
  for (const std::size_t threads : {2, 4, 16}) {
    NameServer server;
    Asking greedy, modest;
    Asked resolver(server, {.threads = threads});
    const std::size_t most = std::min<std::size_t>(threads - 1, 4);
    greedy.ask(resolver, "silent", 100);
    greedy.loop.pollUntil([&] { return server.waiting() == static_cast<int>(most); }, "its share");

    modest.ask(resolver, "known", 20);
    modest.waitUntilTold(20);

    BOOST_TEST(!modest.last);
    BOOST_TEST(greedy.told == 0);
    BOOST_TEST(server.waiting() == static_cast<int>(most));
    server.answer();
    greedy.waitUntilTold(100);
  }
}

BOOST_AUTO_TEST_CASE(reactors_that_wait_for_the_same_threads_are_served_in_turn) {
  NameServer server;
  std::vector<std::string> order;  // Written by one thread at a time.
  Asking many, few;
  Resolver resolver(
      [&, lookup = server.lookup()](const std::string& host) {
        const Resolution found = lookup(host);
        order.push_back(host);
        return found;
      },
      1);
  many.ask(resolver, "silent", 1);
  many.loop.pollUntil([&] { return server.waiting() == 1; }, "the look-up to run");
  many.ask(resolver, "of the many", 10);
  few.ask(resolver, "of the few", 1);

  server.answer();
  few.waitUntilTold(1);
  many.waitUntilTold(11);

  BOOST_REQUIRE(order.size() == 12);
  const auto turn = std::ranges::find(order, "of the few") - order.begin();
  BOOST_TEST(turn <= 2);
}

BOOST_AUTO_TEST_CASE(a_look_up_that_was_given_up_gives_its_thread_to_another) {
  NameServer server;
  Asking asking;
  Asked resolver(server, {.threads = 1});
  const auto silent = asking.ask(resolver, "silent", 1);
  asking.ask(resolver, "known", 1);
  asking.loop.pollUntil([&] { return server.waiting() == 1; }, "the look-up to run");

  cancelAll(silent);
  asking.waitUntilTold(1);

  BOOST_TEST(!asking.last);
  BOOST_TEST(server.waiting() == 1);
}

BOOST_AUTO_TEST_CASE(there_is_a_limit_to_the_threads_that_are_replaced) {
  NameServer server;
  Asking asking;
  Asked resolver(server, {.threads = 2, .mostAbandonedPerReactor = 3});
  for (int i = 1; i <= 4; ++i) {
    const auto silent = asking.ask(resolver, "silent", 1);
    asking.loop.pollUntil([&] { return server.waiting() == i; }, "the look-up to run");
    cancelAll(silent);
  }

  asking.ask(resolver, "known", 1);
  asking.loop.settle();
  BOOST_TEST(asking.told == 0);
  server.answer();

  asking.waitUntilTold(1);
  BOOST_TEST(!asking.last);
}

BOOST_AUTO_TEST_CASE(threads_that_have_come_back_are_not_counted_any_more) {
  Asking asking;
  NameServer last;
  std::deque<NameServer> servers(8);
  std::atomic<NameServer*> server{&servers[0]};
  Resolver resolver(ResolverOptions{
      .lookup = [&](const std::string& host) { return server.load()->lookup()(host); },
      .threads = 1,
      .mostAbandonedPerReactor = 1});
  for (NameServer& each : servers) {
    server = &each;
    const auto silent = asking.ask(resolver, "silent", 1);
    asking.loop.pollUntil([&] { return each.waiting() == 1; }, "the look-up to run");
    cancelAll(silent);
    each.answer();
  }

  asking.ask(resolver, "known", 1);
  asking.waitUntilTold(1);
  BOOST_TEST(!asking.last);
}

BOOST_AUTO_TEST_CASE(a_look_up_that_was_given_up_while_it_waited_gives_its_place_back) {
  NameServer server;
  Asking asking;
  Asked resolver(server, {.threads = 1, .mostWaitingPerReactor = 2, .mostAbandonedPerReactor = 0});
  asking.ask(resolver, "silent", 1);
  asking.loop.pollUntil([&] { return server.waiting() == 1; }, "the look-up to run");

  for (int i = 0; i < 10; ++i) cancelAll(asking.ask(resolver, "known", 2));
  asking.ask(resolver, "known", 2);
  server.answer();

  asking.waitUntilTold(3);
  BOOST_TEST(!asking.last);
}

BOOST_AUTO_TEST_CASE(what_waits_of_one_reactor_refuses_nothing_to_another) {
  NameServer server;
  Asking greedy, modest;
  Asked resolver(server, {.threads = 2, .mostWaitingPerReactor = 3});
  greedy.ask(resolver, "silent", 1);
  greedy.loop.pollUntil([&] { return server.waiting() == 1; }, "the look-up to run");
  greedy.ask(resolver, "silent", 3);

  greedy.ask(resolver, "silent", 1);
  greedy.waitUntilTold(1);
  modest.ask(resolver, "known", 3);
  modest.waitUntilTold(3);

  BOOST_CHECK(greedy.last == std::errc::resource_unavailable_try_again);
  BOOST_TEST(!modest.last);
}

BOOST_AUTO_TEST_CASE(connects_that_timed_out_do_not_keep_the_next_from_its_look_up) {
  NameServer server;
  Connecting test;
  test.resolver = std::make_unique<Resolver>(server.lookup());
  const ConnectOptions shortly{.timeout = 20ms, .resolver = test.resolver.get()};
  const std::uint16_t port = test.listen().port();

  for (int i = 0; i < 40; ++i) {
    connectTcp(test.loop.reactor(), "silent", port, test.making(), test.failing(), shortly);
  }
  test.loop.runUntil([&] { return test.failures == 40; }, "the end of all");
  connectTcp(test.loop.reactor(), "known", port, test.making(), test.failing(),
             {.resolver = test.resolver.get()});
  test.loop.runUntil([&] { return test.client.made(); }, "the connection");

  BOOST_CHECK(*test.failed == ConnectionError::kTimedOut);
  BOOST_TEST(test.failures == 40);
  server.answer();
  test.resolver.reset();
}

BOOST_AUTO_TEST_CASE(look_ups_that_are_given_up_together_do_not_start_each_other) {
  NameServer server;
  Asking asking;
  Asked resolver(server);
  const auto silent = asking.ask(resolver, "silent", 100);
  asking.loop.pollUntil([&] { return server.waiting() == 4; }, "its share");

  cancelAll(silent);
  asking.ask(resolver, "known", 8);
  asking.waitUntilTold(8);

  BOOST_TEST(!asking.last);
  BOOST_TEST(server.waiting() <= 12);  // Of 20 that could be; more than 4 on a slow machine.
}

BOOST_AUTO_TEST_CASE(what_one_reactor_has_given_up_takes_nothing_from_another) {
  NameServer server;
  Asking greedy, modest;
  Asked resolver(server, {.threads = 2, .mostAbandonedPerReactor = 2, .mostThreads = 4});
  for (int i = 1; i <= 3; ++i) {
    const auto silent = greedy.ask(resolver, "silent", 1);
    greedy.loop.pollUntil([&] { return server.waiting() == i; }, "the look-up to run");
    cancelAll(silent);
  }
  greedy.ask(resolver, "silent", 10);

  modest.ask(resolver, "known", 3);
  modest.waitUntilTold(3);

  BOOST_TEST(!modest.last);
  BOOST_TEST(server.waiting() == 3);
  server.answer();
  greedy.waitUntilTold(10);
}

BOOST_AUTO_TEST_SUITE_END()
