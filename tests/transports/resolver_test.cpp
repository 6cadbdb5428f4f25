// Looking names up never stops the loop, can be cancelled, and outlives neither side.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/once_asleep.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/transports/resolver.h>

#include <netdb.h>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cerrno>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(resolver_test)

namespace {

// Look-ups that wait until the test lets them go on.
class Gate {
 public:
  HostLookup lookup() {
    return [this](const std::string&) {
      ++entered_;
      opened_.wait();
      return Resolution{{}, {Address::parse("127.0.0.7:0")}};
    };
  }
  void open() {
    if (!isOpen_) open_.set_value();
    isOpen_ = true;
  }
  int entered() const { return entered_; }
  ~Gate() { open(); }

 private:
  std::promise<void> open_;
  std::shared_future<void> opened_ = open_.get_future().share();
  std::atomic<int> entered_{0};
  bool isOpen_ = false;
};

struct Outcome {
  int calls = 0;
  std::error_code why;
  std::vector<Address> addresses;
  std::thread::id thread;

  ResolveHandler handler() {
    return [this](std::error_code error, std::vector<Address> found) {
      ++calls;
      why = error;
      addresses = std::move(found);
      thread = std::this_thread::get_id();
    };
  }
};

struct Resolving {
  Outcome outcome;
  Gate gate;
  ReactorFixture loop;

  void waitForOutcome() {
    loop.runUntil([this] { return outcome.calls > 0; }, "the look-up");
  }
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(a_name_becomes_addresses_with_the_port, Resolving) {
  std::string lookedUp;
  Resolver resolver([&](const std::string& host) {
    lookedUp = host;
    return Resolution{{}, {Address::parse("127.0.0.7:0"), Address::parse("[::1]:0")}};
  });

  resolver.resolve(loop.reactor(), "example.test", 80, outcome.handler());
  BOOST_TEST(outcome.calls == 0);
  waitForOutcome();

  BOOST_TEST(lookedUp == "example.test");
  BOOST_TEST(outcome.why == std::error_code());
  BOOST_TEST_REQUIRE(outcome.addresses.size() == 2);
  BOOST_TEST(outcome.addresses[0].text() == "127.0.0.7:80");
  BOOST_TEST(outcome.addresses[1].text() == "[::1]:80");
  BOOST_TEST(outcome.thread == std::this_thread::get_id());
}

BOOST_FIXTURE_TEST_CASE(the_systems_own_look_up_knows_localhost, Resolving) {
  Resolver::shared().resolve(loop.reactor(), "localhost", 80, outcome.handler());
  waitForOutcome();

  BOOST_TEST(outcome.why == std::error_code());
  BOOST_REQUIRE(!outcome.addresses.empty());
  for (const Address& address : outcome.addresses) {
    BOOST_TEST(address == Address::loopback(80, address.family()));
  }
}

BOOST_FIXTURE_TEST_CASE(numbers_take_no_thread, Resolving) {
  Resolver resolver(gate.lookup(), 1);

  Outcome six;
  resolver.resolve(loop.reactor(), "127.0.0.1", 80, outcome.handler());
  resolver.resolve(loop.reactor(), "::1", 80, six.handler());
  BOOST_TEST(outcome.calls == 0);
  loop.runUntil([&] { return outcome.calls == 1 && six.calls == 1; }, "both");

  BOOST_TEST(gate.entered() == 0);
  BOOST_TEST(outcome.addresses.at(0).text() == "127.0.0.1:80");
  BOOST_TEST(six.addresses.at(0).text() == "[::1]:80");
}

BOOST_FIXTURE_TEST_CASE(a_failed_look_up_tells_why, Resolving) {
  Resolver resolver([](const std::string&) {
    return Resolution{ConnectionError::kUnresolved, {}};
  });

  resolver.resolve(loop.reactor(), "nowhere", 80, outcome.handler());
  waitForOutcome();

  BOOST_TEST(outcome.why == ConnectionError::kUnresolved);
  BOOST_TEST(outcome.addresses.empty());
}

BOOST_FIXTURE_TEST_CASE(a_look_up_that_throws_has_failed_and_is_logged, Resolving) {
  Resolver resolver([](const std::string&) -> Resolution { throw std::runtime_error("broken"); });

  resolver.resolve(loop.reactor(), "anything", 80, outcome.handler());
  waitForOutcome();

  BOOST_CHECK(outcome.why == ConnectionError::kResolverFailed);
  BOOST_REQUIRE(loop.logLines().size() == 1);
  BOOST_TEST(loop.logLines()[0].find("broken") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(a_look_up_that_throws_an_error_has_failed_with_it, Resolving) {
  Resolver resolver([](const std::string&) -> Resolution {
    throw std::system_error(std::make_error_code(std::errc::permission_denied), "socket");
  });

  resolver.resolve(loop.reactor(), "anything", 80, outcome.handler());
  waitForOutcome();

  BOOST_CHECK(outcome.why == std::errc::permission_denied);
}

BOOST_AUTO_TEST_CASE(each_failure_of_a_look_up_says_what_it_was) {
  for (const int result : {EAI_NONAME, EAI_NODATA, EAI_ADDRFAMILY}) {
    BOOST_CHECK(lookupError(result) == ConnectionError::kUnresolved);
  }
  BOOST_CHECK(lookupError(EAI_AGAIN) == ConnectionError::kUnresolvedForNow);
  BOOST_CHECK(lookupError(EAI_FAIL) == ConnectionError::kResolverFailed);
  BOOST_CHECK(lookupError(EAI_SERVICE) == ConnectionError::kResolverFailed);
  BOOST_CHECK(lookupError(EAI_MEMORY) == std::errc::not_enough_memory);
  BOOST_CHECK(lookupError(EAI_SYSTEM, EMFILE) == std::errc::too_many_files_open);
}

BOOST_FIXTURE_TEST_CASE(what_could_never_be_told_or_never_run_is_refused_at_once, Resolving) {
  Resolver resolver(gate.lookup(), 1);

  BOOST_CHECK_THROW(resolver.resolve(loop.reactor(), "127.0.0.1", 80, {}), std::invalid_argument);
  BOOST_CHECK_THROW(Resolver(HostLookup(), 1), std::invalid_argument);
  BOOST_CHECK_THROW(Resolver(gate.lookup(), 0), std::invalid_argument);
  BOOST_CHECK_THROW(Resolver(ResolverOptions{.threadsPerReactor = 0}), std::invalid_argument);
  BOOST_CHECK_THROW(Resolver(ResolverOptions{.mostWaitingPerReactor = 0}), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(names_that_cannot_be_are_unresolved_without_asking_anyone) {
  BOOST_TEST(lookUpHost("").error == ConnectionError::kUnresolved);
  BOOST_TEST(lookUpHost(std::string("localhost\0x", 11)).error == ConnectionError::kUnresolved);
}

BOOST_FIXTURE_TEST_CASE(a_slow_look_up_does_not_block_the_loop, Resolving) {
  Resolver resolver(gate.lookup(), 1);
  resolver.resolve(loop.reactor(), "slow", 80, outcome.handler());
  int ticks = 0;
  std::function<void()> tick = [&] {
    if (++ticks < 50) loop->callLater(1ms, [&] { tick(); });
  };

  tick();
  loop.runUntil([&] { return ticks == 50; }, "fifty ticks");

  BOOST_TEST(outcome.calls == 0);
  gate.open();
  waitForOutcome();
  BOOST_TEST(outcome.addresses.at(0).text() == "127.0.0.7:80");
}

BOOST_FIXTURE_TEST_CASE(a_cancelled_look_up_never_calls_back, Resolving) {
  {
    Resolver resolver(gate.lookup(), 1);
    PendingLookup& running = resolver.resolve(loop.reactor(), "a", 80, outcome.handler());
    PendingLookup& waiting = resolver.resolve(loop.reactor(), "b", 80, outcome.handler());
    loop.pollUntil([&] { return gate.entered() == 1; }, "the first to run");
    PendingLookup& numeric = resolver.resolve(loop.reactor(), "127.0.0.1", 80, outcome.handler());

    waiting.cancel();  // First, for it would run once the other is given up.
    running.cancel();
    numeric.cancel();
    gate.open();
  }  // Now the threads have ended.
  loop.settle();

  BOOST_TEST(outcome.calls == 0);
  BOOST_TEST(gate.entered() == 1);
}

BOOST_FIXTURE_TEST_CASE(a_look_up_cancelled_after_it_was_handed_over_does_not_call_back,
                        Resolving) {
  PendingLookup* lookup = nullptr;
  gate.open();
  {
    Resolver resolver(gate.lookup(), 1);
    lookup = &resolver.resolve(loop.reactor(), "a", 80, outcome.handler());
    while (gate.entered() == 0) std::this_thread::yield();
  }  // It was handed over, and waits for the loop.

  lookup->cancel();
  loop.settle();

  BOOST_TEST(outcome.calls == 0);
}

BOOST_FIXTURE_TEST_CASE(the_end_of_the_reactor_ends_a_look_up_in_progress, Resolving) {
  Resolver resolver(gate.lookup(), 1);
  resolver.resolve(loop.reactor(), "slow", 80, outcome.handler());
  loop.pollUntil([&] { return gate.entered() == 1; }, "the look-up to run");

  loop.destroy();
  gate.open();  // The thread goes on with no reactor to tell.

  BOOST_TEST(outcome.calls == 1);
  BOOST_TEST(outcome.why == ConnectionError::kLost);
}

BOOST_FIXTURE_TEST_CASE(the_end_of_the_resolver_fails_what_waits, Resolving) {
  Outcome waiting;
  std::unique_ptr<OnceAsleep> other;
  {
    Resolver resolver(gate.lookup(), 1);
    resolver.resolve(loop.reactor(), "runs", 80, outcome.handler());
    loop.pollUntil([&] { return gate.entered() == 1; }, "the first to run");
    resolver.resolve(loop.reactor(), "waits", 80, waiting.handler());
    other = std::make_unique<OnceAsleep>(
        [this] { gate.open(); });  // Only once the end of the resolver waits for it.
  }
  loop.runUntil([&] { return outcome.calls == 1 && waiting.calls == 1; }, "both outcomes");

  BOOST_TEST(outcome.why == std::error_code());
  BOOST_TEST(waiting.why == std::errc::operation_canceled);
  BOOST_TEST(gate.entered() == 1);
}

BOOST_FIXTURE_TEST_CASE(more_look_ups_than_may_wait_are_refused, Resolving) {
  std::vector<Outcome> outcomes(ResolverOptions().mostWaitingPerReactor);
  Resolver resolver(gate.lookup(), 1);
  resolver.resolve(loop.reactor(), "runs", 80, outcome.handler());
  loop.pollUntil([&] { return gate.entered() == 1; }, "the first to run");
  for (Outcome& each : outcomes) resolver.resolve(loop.reactor(), "waits", 80, each.handler());

  Outcome refused;
  resolver.resolve(loop.reactor(), "too many", 80, refused.handler());
  loop.runUntil([&] { return refused.calls == 1; }, "the refusal");

  BOOST_TEST(refused.why == std::errc::resource_unavailable_try_again);
  gate.open();
  loop.runUntil([&] { return outcomes.back().calls == 1; }, "the last of those that waited");
  BOOST_TEST(outcomes.back().why == std::error_code());
}

BOOST_FIXTURE_TEST_CASE(a_handler_that_throws_is_logged, Resolving) {
  Resolver::shared().resolve(
      loop.reactor(), "127.0.0.1", 80,
      [](std::error_code, std::vector<Address>) { throw std::runtime_error("on purpose"); });

  loop.runUntil([&] { return !loop.logLines().empty(); }, "the log line");

  BOOST_TEST(loop.logLines().size() == 1);
}

BOOST_AUTO_TEST_SUITE_END()
