// Relay, the handle: counts, limits, and the ways that it and a replaced protocol end a relay.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/transports/relaying.h>

#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <utility>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(relay_handle_test)

namespace {

constexpr std::size_t kBulk = 4 << 20;
constexpr std::size_t kRate = 4 << 20;

const std::errc kReset = std::errc::connection_reset;

// A relay whose end is written down.
struct Told : Relaying {
  RelayOptions told(RelayOptions options = {}) {
    options.onEnd = [this](std::error_code why) {
      ended = why;
      ++ends;
    };
    return options;
  }

  std::error_code ended;
  int ends = 0;
};

// A protocol that comes after the relay: its transport was made long before.
struct Next : Recorder {
  Next() { events = {"in place"}; }
};

void inAllModes(const std::function<void(Told&)>& check, const RelayOptions& like = {}) {
  for (const Mode mode : kModes) {
    BOOST_TEST_CONTEXT(mode) {
      Told test;
      test.connectBoth();
      RelayOptions options;
      options.idleTimeout = like.idleTimeout;
      options.bytesPerSecond = like.bytesPerSecond;
      test.relayIn(mode, test.told(std::move(options)));
      check(test);
    }
  }
}

}  // namespace

// --- Counts -------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(the_bytes_of_both_directions_are_counted) {
  inAllModes([](Told& test) {
    test.left.send(kBulk);
    test.right.send(12345);
    test.waitForAll();

    BOOST_TEST(test.joint.active());
    BOOST_TEST(test.joint.bytesFromFirst() == test.left.sent);
    BOOST_TEST(test.joint.bytesFromSecond() == test.right.sent);
  });
}

BOOST_AUTO_TEST_CASE(a_handle_is_kept_beyond_the_relay_and_its_reactor) {
  Relay kept;
  {
    Told test;
    test.open(Mode::kSpliced);
    kept = test.joint;
    test.left.transport().loseWriteConnection();
    test.right.transport().loseWriteConnection();
    test.waitForLosses();
    BOOST_TEST(!kept.active());
    kept.stop();
  }

  kept.stop();
  kept.abort();

  BOOST_TEST(!kept.active());
  BOOST_TEST(kept.bytesFromFirst() == Relaying::kEnoughToSplice);
}

BOOST_AUTO_TEST_CASE(a_handle_of_no_relay_does_nothing) {
  Relay none;

  none.stop();
  none.abort();

  BOOST_TEST(!none.active());
  BOOST_TEST(none.bytesFromFirst() == 0U);
}

// --- How it ends --------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_clean_end_is_told_once) {
  inAllModes([](Told& test) {
    test.left.send(1000);
    test.left.transport().loseWriteConnection();
    test.right.transport().loseWriteConnection();
    test.waitForLosses();

    BOOST_TEST(test.ends == 1);
    BOOST_TEST(!test.ended);
  });
}

BOOST_AUTO_TEST_CASE(a_reset_is_told_as_what_it_was) {
  inAllModes([](Told& test) {
    test.right.transport().abortConnection();
    test.waitForLosses();

    BOOST_TEST(test.ends == 1);
    BOOST_TEST((test.ended == kReset));
  });
}

BOOST_AUTO_TEST_CASE(stop_delivers_what_was_taken_and_closes_both_sides) {
  inAllModes([](Told& test) {
    const std::uint64_t taken = test.holdSome();

    test.joint.stop();
    test.loop.settle();
    test.right.transport().resumeProducing();
    test.waitForLosses();

    BOOST_TEST(!test.right.why);
    BOOST_TEST(test.right.pattern.good());
    BOOST_TEST(test.right.pattern.count() == taken);
    BOOST_TEST(test.ends == 1);
    BOOST_TEST(!test.ended);
    BOOST_TEST(!test.joint.active());
  });
}

BOOST_AUTO_TEST_CASE(abort_resets_both_peers) {
  inAllModes([](Told& test) {
    test.fillUp();

    test.joint.abort();
    test.resume(test.right);
    test.waitForLosses();

    BOOST_TEST(!!test.left.why);
    BOOST_TEST((test.right.why == kReset));
    BOOST_TEST(test.ended == ConnectionError::kAborted);
  });
}

BOOST_FIXTURE_TEST_CASE(a_protocol_that_throws_when_it_is_lost_does_not_keep_it_from_ending, Told) {
  connectBoth();
  relayIn(Mode::kCopied, told());
  a.onLost = [](std::error_code) { throw std::runtime_error("mine"); };

  joint.abort();
  waitForLosses();

  BOOST_TEST(ends == 1);
  BOOST_TEST(!joint.active());
  joint.stop();
}

BOOST_FIXTURE_TEST_CASE(an_exception_from_onEnd_is_logged, Relaying) {
  connectBoth();
  RelayOptions options;
  options.onEnd = [](std::error_code) { throw std::runtime_error("not me"); };
  relayIn(Mode::kCopied, std::move(options));

  joint.abort();
  waitForLosses();

  BOOST_REQUIRE(loop.logLines().size() == 1U);
  BOOST_TEST(loop.logLines()[0] == "penstock: exception from a relay's onEnd: not me");
}

BOOST_AUTO_TEST_CASE(the_end_of_the_reactor_ends_it) {
  inAllModes([](Told& test) {
    test.fillUp();

    test.loop.destroy();

    BOOST_TEST(test.ends == 1);
    BOOST_TEST(test.ended == ConnectionError::kLost);
    BOOST_TEST(!test.joint.active());
  });
}

// --- Limits -------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_idle_relay_is_reset_on_both_sides) {
  RelayOptions options;
  options.idleTimeout = 100ms;
  inAllModes(
      [](Told& test) {
        test.waitForLosses();

        BOOST_TEST((test.ended == std::errc::timed_out));
        for (const RelayPeer* peer : {&test.left, &test.right}) BOOST_TEST((peer->why == kReset));
      },
      options);
}

// In virtual time: a machine under load could be idle itself.
BOOST_AUTO_TEST_CASE(a_byte_now_and_then_in_either_direction_keeps_it,
                     *precondition(onSimulatedKernel)) {
  RelayOptions options;
  options.idleTimeout = 1s;
  inAllModes(
      [](Told& test) {
        for (int i = 0; i < 10; ++i) {
          bool later = false;
          test.loop->callLater(700ms, [&later] { later = true; });
          test.loop.runUntil([&] { return later; });
          (i % 2 ? test.left : test.right).send(1);
          test.waitForAll();
        }
        BOOST_TEST(test.joint.active());
      },
      options);
}

BOOST_AUTO_TEST_CASE(a_rate_limit_bounds_each_direction_and_nothing_is_lost) {
  RelayOptions options;
  options.bytesPerSecond = kRate;
  inAllModes(
      [](Told& test) {
        const TimePoint begin = test.loop->now();
        const std::uint64_t before = test.joint.bytesFromFirst();
        test.left.send(kRate);
        test.right.send(1000);
        test.waitFor(test.left, test.right);
        test.waitForAll();

        // Less the burst, and one receive.
        BOOST_TEST(test.joint.bytesFromFirst() - before == kRate);
        BOOST_TEST((test.loop->now() - begin >= 600ms));
      },
      options);
}

BOOST_FIXTURE_TEST_CASE(a_negative_idle_timeout_is_refused, Relaying) {
  connectBoth();
  RelayOptions options;
  options.idleTimeout = -1s;

  BOOST_CHECK_THROW(relay(a.transport(), b.transport(), std::move(options)), std::invalid_argument);

  BOOST_TEST(!a.transport().producer());
}

// --- Replacing ----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(replacing_one_side_frees_it_and_resets_the_other) {
  inAllModes([](Told& test) {
    Next next;
    Transport& a = test.a.transport();

    a.replaceProtocol(next.makeProtocol());
    test.right.closeAtEnd();
    test.loop.runUntil([&] { return test.right.lost; }, "the reset");
    test.left.transport().write(asBytes("for the next one"));
    test.loop.runUntil([&] { return next.received == "for the next one"; }, "what came then");
    a.write(asBytes("x"));
    test.loop.runUntil([&] { return test.left.pattern.count() == 1; }, "an answer");

    BOOST_TEST((test.right.why == kReset));
    BOOST_TEST(test.ends == 1);
    BOOST_TEST(!test.joint.active());
    a.abortConnection();
    test.loop.runUntil([&] { return next.lost; }, "the end");
  });
}

BOOST_AUTO_TEST_CASE(replacing_both_sides_ends_it_with_all_that_was_taken_delivered) {
  for (const bool firstFirst : {true, false}) {
    inAllModes([firstFirst](Told& test) {
      const std::uint64_t taken = test.holdSome();
      Next nextOfA, nextOfB;
      Transport& a = test.a.transport();
      Transport& b = test.b.transport();

      if (firstFirst) a.replaceProtocol(nextOfA.makeProtocol());
      b.replaceProtocol(nextOfB.makeProtocol());
      if (!firstFirst) a.replaceProtocol(nextOfA.makeProtocol());
      BOOST_TEST(test.ends == 1);
      BOOST_TEST(!test.ended);
      test.right.transport().resumeProducing();
      test.loop.runUntil([&] { return test.right.pattern.count() >= taken; }, "what was taken");
      test.loop.runUntil([&] { return nextOfA.received.size() == test.left.sent - taken; },
                         "what was not");
      test.right.transport().write(asBytes("y"));
      test.loop.runUntil([&] { return nextOfB.received == "y"; }, "what comes from the other");

      BOOST_TEST(test.right.pattern.good());
      BOOST_TEST(test.right.pattern.count() == taken);
      BOOST_TEST(!a.producer());
      BOOST_TEST(!b.producer());
      a.abortConnection();
      b.abortConnection();
      test.loop.runUntil([&] { return nextOfA.lost && nextOfB.lost; }, "the ends");
    });
  }
}

BOOST_AUTO_TEST_CASE(a_replaced_protocol_may_be_kept_until_all_else_is_gone) {
  std::unique_ptr<Protocol> ofA;
  inAllModes([&](Told& test) {
    Next next;
    test.fillUp();
    ofA = test.a.transport().replaceProtocol(next.makeProtocol());
    test.loop.turn(3);
    test.loop.destroy();
    ofA.reset();
  });
}

BOOST_AUTO_TEST_CASE(a_side_that_was_taken_out_can_be_relayed_again) {
  inAllModes([](Told& test) {
    Next nextOfA, nextOfB;
    Transport& a = test.a.transport();
    Transport& b = test.b.transport();
    a.replaceProtocol(nextOfA.makeProtocol());
    b.replaceProtocol(nextOfB.makeProtocol());

    test.joint = relay(a, b);
    test.left.send(kBulk);
    test.right.send(1000);

    test.waitForAll();
    a.abortConnection();
    test.loop.runUntil([&] { return nextOfA.lost && nextOfB.lost; }, "the ends");
  });
}

BOOST_AUTO_TEST_SUITE_END()
