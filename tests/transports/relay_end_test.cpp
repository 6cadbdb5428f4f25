// relay(): how it ends, and what becomes of the bytes that are on their way then.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/transports/relaying.h>

#include <signal.h>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <random>
#include <stdexcept>
#include <system_error>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(relay_end_test)

namespace {

constexpr std::size_t kBulk = 4 << 20;

const std::errc kReset = std::errc::connection_reset;

void inAllModes(const std::function<void(Relaying&)>& check) {
  for (const Mode mode : kModes) {
    BOOST_TEST_CONTEXT(mode) {
      Relaying test;
      test.open(mode);
      check(test);
    }
  }
}

// All that the relay had taken, and then a clean end.
void checkDelivered(Relaying& test, std::uint64_t taken) {
  test.loop.settle();
  BOOST_TEST(!test.b.lost);
  test.right.transport().resumeProducing();
  test.waitForLosses();

  BOOST_TEST(test.b.why == std::error_code());
  BOOST_TEST(test.right.why == std::error_code());
  BOOST_TEST(test.right.pattern.good());
  BOOST_TEST(test.right.pattern.count() == taken);
}

}  // namespace

// --- Half-close ---------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_half_close_of_the_first_is_passed_on_and_the_second_may_go_on) {
  inAllModes([](Relaying& test) {
    test.left.send(100'000);
    test.left.transport().loseWriteConnection();

    test.loop.runUntil([&] { return test.right.heard("readLost"); }, "the end of input");
    BOOST_TEST(test.right.hasAllOf(test.left));
    test.right.send(kBulk);
    test.waitFor(test.left, test.right);
    BOOST_TEST(!test.left.lost);
    BOOST_TEST(!test.right.lost);
  });
}

BOOST_AUTO_TEST_CASE(a_half_close_of_the_second_is_passed_on_and_the_first_may_go_on) {
  inAllModes([](Relaying& test) {
    test.right.send(100'000);
    test.right.transport().loseWriteConnection();

    test.loop.runUntil([&] { return test.left.heard("readLost"); }, "the end of input");
    BOOST_TEST(test.left.hasAllOf(test.right));
    test.left.send(kBulk);
    test.waitFor(test.right, test.left);
    BOOST_TEST(!test.left.lost);
    BOOST_TEST(!test.right.lost);
  });
}

BOOST_AUTO_TEST_CASE(a_half_close_waits_for_all_bytes_before_it) {
  inAllModes([](Relaying& test) {
    test.fillUp();
    test.left.transport().loseWriteConnection();
    test.loop.settle();
    BOOST_TEST(!test.right.heard("readLost"));

    test.right.transport().resumeProducing();
    test.loop.runUntil([&] { return test.right.heard("readLost"); }, "the end of input");

    BOOST_TEST(test.right.hasAllOf(test.left));
  });
}

BOOST_AUTO_TEST_CASE(when_both_sides_have_ended_all_close_cleanly) {
  inAllModes([](Relaying& test) {
    test.left.send(kBulk);
    test.right.send(kBulk);
    test.left.transport().loseWriteConnection();
    test.right.transport().loseWriteConnection();

    test.waitForLosses();

    BOOST_TEST(test.right.hasAllOf(test.left));
    BOOST_TEST(test.left.hasAllOf(test.right));
    for (const Recorder* end : {&test.a, &test.b}) BOOST_TEST(end->why == std::error_code());
    for (const RelayPeer* peer : {&test.left, &test.right}) {
      BOOST_TEST(peer->why == std::error_code());
      BOOST_TEST(peer->heard("readLost"));
    }
  });
}

// --- Resets -------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_reset_of_either_peer_resets_the_other) {
  inAllModes([](Relaying& test) {
    test.left.transport().abortConnection();

    test.waitForLosses();
    BOOST_TEST(test.right.why == kReset);
    BOOST_TEST(test.a.why == kReset);
    BOOST_TEST(test.b.why == ConnectionError::kAborted);
  });
  inAllModes([](Relaying& test) {
    test.right.transport().abortConnection();

    test.waitForLosses();
    BOOST_TEST(test.left.why == kReset);
  });
}

BOOST_AUTO_TEST_CASE(an_abort_of_either_side_of_the_relay_resets_both_peers) {
  inAllModes([](Relaying& test) {
    test.a.transport().abortConnection();

    test.waitForLosses();
    BOOST_TEST(test.left.why == kReset);
    BOOST_TEST(test.right.why == kReset);
  });
}

BOOST_AUTO_TEST_CASE(a_reset_of_a_source_that_waits_for_its_sink_is_passed_on) {
  inAllModes([](Relaying& test) {
    test.fillUp();
    const bool spliced = test.isSpliced(test.b);

    test.left.transport().abortConnection();

    if (spliced) {  // Copying, io_uring may meet it when it receives again.
      test.loop.runUntil([&] { return test.a.lost && test.b.lost; }, "the end of the relay");
    }
    test.resume(test.right);
    test.waitForLosses();
    BOOST_TEST(test.right.why == kReset);
  });
}

BOOST_AUTO_TEST_CASE(a_reset_of_a_sink_that_does_not_read_is_passed_on) {
  inAllModes([](Relaying& test) {
    test.fillUp();

    test.right.transport().abortConnection();

    test.waitForLosses();
    BOOST_TEST(test.left.why);
  });
}

BOOST_AUTO_TEST_CASE(a_reset_by_the_side_that_has_not_ended_is_passed_on) {
  inAllModes([](Relaying& test) {
    test.left.transport().loseWriteConnection();
    test.loop.runUntil([&] { return test.right.heard("readLost"); }, "the end of input");

    test.right.transport().abortConnection();

    test.waitForLosses();
    BOOST_TEST(test.left.why == kReset);
  });
}

BOOST_AUTO_TEST_CASE(a_reset_by_the_side_that_has_ended_is_passed_on) {
  inAllModes([](Relaying& test) {
    test.left.transport().loseWriteConnection();
    test.loop.runUntil([&] { return test.right.heard("readLost"); }, "the end of input");

    const bool spliced = test.isSpliced(test.a);
    test.left.transport().abortConnection();

    const auto relayIsOver = [&] {  // Copying, io_uring may meet it when it sends again.
      if (!spliced && test.right.connected()) test.right.send(1);
      return test.a.lost && test.b.lost;
    };
    test.loop.runUntil(relayIsOver, "the end of the relay");
    BOOST_TEST(test.a.why);
    BOOST_TEST(test.b.why == ConnectionError::kAborted);
  });
}

BOOST_FIXTURE_TEST_CASE(a_tap_that_throws_ends_both_sides, Relaying) {
  struct Thrower final : RelayTap {
    void passing(Transport&, Bytes) override { throw std::runtime_error("the tap's"); }
  } thrower;
  connectBoth();
  relay(a.transport(), b.transport(), {.tap = &thrower});

  left.send(1);

  waitForLosses();
  BOOST_TEST(a.why == ConnectionError::kProtocolFailed);
  for (const RelayPeer* peer : {&left, &right}) BOOST_TEST((peer->why == kReset));
  BOOST_TEST(b.why == ConnectionError::kAborted);
  BOOST_TEST(right.pattern.count() == 0U);
  BOOST_TEST(loop.logLines().size() == 1U);
}

// --- Closing from outside -----------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_sink_that_is_closed_gets_what_was_taken_for_it) {
  inAllModes([](Relaying& test) {
    const std::uint64_t taken = test.holdSome();

    test.b.transport().stopConsuming();

    checkDelivered(test, taken);
  });
}

BOOST_AUTO_TEST_CASE(what_was_taken_from_a_source_that_is_closed_is_delivered) {
  inAllModes([](Relaying& test) {
    const std::uint64_t taken = test.holdSome();

    test.a.transport().stopConsuming();
    test.loop.runUntil([&] { return test.a.lost; }, "the close of the source");

    BOOST_TEST(test.a.why == std::error_code());
    checkDelivered(test, taken);
  });
}

BOOST_AUTO_TEST_CASE(when_both_are_closed_the_sink_gets_what_was_taken_for_it) {
  for (const bool sourceFirst : {true, false}) {
    inAllModes([sourceFirst](Relaying& test) {
      const std::uint64_t taken = test.holdSome();

      (sourceFirst ? test.a : test.b).transport().stopConsuming();
      (sourceFirst ? test.b : test.a).transport().stopConsuming();

      checkDelivered(test, taken);
    });
  }
}

BOOST_AUTO_TEST_CASE(a_half_close_from_outside_comes_after_what_was_taken_before_it) {
  inAllModes([](Relaying& test) {
    const std::uint64_t taken = test.holdSome();

    test.b.transport().unregisterProducer();
    test.b.transport().loseWriteConnection();
    test.loop.settle();
    test.right.transport().resumeProducing();
    test.loop.runUntil([&] { return test.right.heard("readLost"); }, "the end of input");

    BOOST_TEST(test.right.pattern.good());
    BOOST_TEST(test.right.pattern.count() == taken);
    test.right.send(1000);
    test.waitFor(test.left, test.right);
  });
}

BOOST_AUTO_TEST_CASE(loseConnection_alone_waits_until_the_other_side_has_ended) {
  inAllModes([](Relaying& test) {
    test.holdSome();

    test.b.transport().loseConnection();
    test.right.transport().resumeProducing();
    test.waitFor(test.right, test.left);
    test.left.send(1000);
    test.waitFor(test.right, test.left);
    BOOST_TEST(!test.b.lost);
    test.left.transport().loseWriteConnection();
    test.waitForLosses();

    BOOST_TEST(test.right.hasAllOf(test.left));
    for (const RelayPeer* peer : {&test.left, &test.right})
      BOOST_TEST(peer->why == std::error_code());
  });
}

BOOST_AUTO_TEST_CASE(a_side_that_closes_takes_nothing_more) {
  inAllModes([](Relaying& test) {
    const std::uint64_t taken = test.holdSome();
    test.b.transport().stopConsuming();

    test.left.send(Relaying::kFlood);
    test.loop.settle();
    BOOST_TEST(test.b.transport().bufferedBytes() <= Transport::kHighWaterMark);

    checkDelivered(test, taken);
  });
}

BOOST_AUTO_TEST_CASE(an_abort_drops_what_a_close_waits_for) {
  inAllModes([](Relaying& test) {
    test.holdSome();
    test.b.transport().stopConsuming();
    test.loop.settle();

    test.b.transport().abortConnection();
    test.loop.runUntil([&] { return test.a.lost && test.b.lost; }, "the end of the relay");

    BOOST_TEST(test.b.why == ConnectionError::kAborted);
    test.resume(test.right);
    test.waitForLosses();
    BOOST_TEST(test.right.why == kReset);
    BOOST_TEST(!test.right.hasAllOf(test.left));
  });
}

BOOST_AUTO_TEST_CASE(a_sink_that_is_reset_while_its_close_waits_is_lost) {
  inAllModes([](Relaying& test) {
    test.holdSome();
    test.b.transport().stopConsuming();
    test.loop.settle();

    test.right.transport().abortConnection();

    test.waitForLosses();
    BOOST_TEST(test.b.why);
  });
}

// --- Many, and the end of the reactor -----------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_reactor_may_end_in_the_middle_of_a_relay) {
  inAllModes([](Relaying& test) {
    test.fillUp();
    test.right.send(kBulk);
    test.loop.turn(5);

    test.loop.destroy();

    for (const Recorder* end : {&test.a, &test.b}) BOOST_TEST(end->lost);
  });
}

BOOST_AUTO_TEST_CASE(relays_opened_and_dropped_at_random_end_on_all_sides) {
  constexpr int kRelays = 100;
  constexpr std::size_t kOpenAtOnce = 8;
  std::mt19937_64 random(testSeed());
  std::deque<RelayPeer> peers(2 * kRelays);
  std::deque<Recorder> ends(2 * kRelays);
  ReactorFixture loop;
  const auto dropOne = [&](std::size_t relay) {
    const bool first = random() % 2;
    Recorder& peer = peers[2 * relay + first];
    Recorder& end = ends[2 * relay + first];
    if (peer.connected() && random() % 2) return peer.transport().abortConnection();
    if (peer.connected() && random() % 2) return peer.transport().loseWriteConnection();
    if (end.connected() && random() % 2) return end.transport().abortConnection();
    if (end.connected()) return end.transport().stopConsuming();
  };

  for (RelayPeer& peer : peers) peer.closeAtEnd();
  for (std::size_t i = 0; i < kRelays; ++i) {
    Recorder& a = ends[2 * i];
    Recorder& b = ends[2 * i + 1];
    loop.connect(peers[2 * i], a);
    loop.connect(peers[2 * i + 1], b);
    relay(a.transport(), b.transport());
    peers[2 * i].send(random() % (2 << 20));
    peers[2 * i + 1].send(random() % (2 << 20));
    loop.turn(static_cast<int>(random() % 20));
    if (i >= kOpenAtOnce) dropOne(i - random() % kOpenAtOnce);
  }
  for (RelayPeer& peer : peers) {
    if (peer.connected()) peer.transport().loseWriteConnection();
  }

  const auto over = [](const Recorder& recorder) { return recorder.lost; };
  loop.runUntil([&] { return std::ranges::all_of(ends, over); }, "the ends of the relays");
  loop.runUntil([&] { return std::ranges::all_of(peers, over); }, "the peers");
  for (const RelayPeer& peer : peers) BOOST_TEST(peer.pattern.good());
}

// --- What a library must not do to its process --------------------------------------------------

BOOST_AUTO_TEST_CASE(a_spliced_sink_that_has_gone_raises_no_signal, *precondition(onRealKernel)) {
  for (const Joint joint : {Joint::kTcp, Joint::kUnix}) {
    Relaying test;
    test.open(Mode::kSpliced, joint, joint);

    test.right.transport().abortConnection();
    test.left.send(kBulk);

    test.waitForLosses();
    BOOST_TEST(test.b.lost);
  }
}

BOOST_AUTO_TEST_CASE(what_is_still_received_is_spliced_to_a_side_that_closes_when_the_other_has) {
  for (const Joint joint : {Joint::kTcp, Joint::kUnix}) {
    Relaying test;
    test.connectBoth(joint, joint);
    test.relayIn(Mode::kCopied);

    test.b.transport().loseConnection();
    test.left.send(kBulk);
    test.left.transport().loseWriteConnection();

    test.waitFor(test.right, test.left);
    test.waitForLosses();
    BOOST_TEST(test.right.why == std::error_code());
  }
}

BOOST_AUTO_TEST_SUITE_END()
