// relay(): what passes, how much it holds, and what it refuses.
#include <penstock/tests/support/backend.h>
#include <penstock/tests/transports/relaying.h>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(relay_test)

namespace {

constexpr std::size_t kBulk = 4 << 20;
constexpr std::size_t kPipe = 1 << 20;
constexpr std::size_t kLargestReceive = 1 << 20;

// Of two connections with shrunk buffers; the simulated kernel does not shrink as far.
constexpr std::size_t kSocketBuffers = 768 * 1024;

std::string refusalOf(Transport& a, Transport& b) {
  try {
    relay(a, b);
  } catch (const std::logic_error& error) {
    return error.what();
  }
  return "none";
}

const std::string kTwoOfOneReactor = "relay: two different transports of one reactor are needed";
const std::string kMustBeConnected = "relay: both transports must be connected and not closing";

}  // namespace

// --- What passes --------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(small_messages_pass_both_ways) {
  for (const Mode mode : kModes) {
    BOOST_TEST_CONTEXT(mode) {
      Relaying test;
      test.open(mode);

      for (int i = 0; i < 20; ++i) {
        test.left.send(100);
        test.waitForAll();
        test.right.send(7);
        test.waitForAll();
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(bulk_passes_both_ways_at_once_and_is_spliced_unless_it_is_tapped) {
  for (const Mode mode : {Mode::kTapped, Mode::kCopied}) {
    BOOST_TEST_CONTEXT(mode) {
      Relaying test;
      test.open(mode);

      test.left.send(kBulk);
      test.right.send(kBulk);
      test.waitForAll();

      BOOST_TEST(test.isSpliced(test.b) == (mode == Mode::kCopied));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(a_tap_sees_all_bytes_of_each_side, Relaying) {
  open(Mode::kTapped);

  left.send(kBulk);
  right.send(1000);
  waitForAll();

  BOOST_TEST(tap.leftToRight.good());
  BOOST_TEST(tap.leftToRight.count() == kBulk);
  BOOST_TEST(tap.rightToLeft.good());
  BOOST_TEST(tap.rightToLeft.count() == 1000);
}

BOOST_FIXTURE_TEST_CASE(what_came_before_the_relay_is_passed_on, Relaying) {
  connectBoth();
  a.transport().pauseProducing();
  b.transport().pauseProducing();
  left.send(30'000);
  right.send(20'000);
  loop.settle();

  relayIn(Mode::kCopied);

  waitForAll();
}

BOOST_FIXTURE_TEST_CASE(what_was_written_before_the_relay_comes_first, Relaying) {
  connectBoth();
  right.transport().pauseProducing();
  const std::string greeting(300'000, 'g');
  right.keepsData = true;
  right.onData = nullptr;
  b.transport().write(asBytes(greeting));

  relay(a.transport(), b.transport());
  left.transport().write(asBytes("then this"));
  loop.settle();
  right.transport().resumeProducing();

  const std::string expected = greeting + "then this";
  loop.runUntil([&] { return right.received.size() >= expected.size(); }, "both");
  BOOST_TEST((right.received == expected));
}

BOOST_FIXTURE_TEST_CASE(a_relay_may_begin_while_bytes_are_delivered, Relaying) {
  connectBoth();
  std::size_t seen = 0;
  a.onData = [&](Bytes bytes) {
    seen += bytes.size();
    b.transport().write(bytes);
    relay(a.transport(), b.transport());
  };

  left.send(100'000);
  waitForAll();

  BOOST_TEST(seen < 100'000U);
}

BOOST_AUTO_TEST_CASE(all_kinds_can_be_joined_with_each_other) {
  constexpr std::array kJoints{Joint::kTcp, Joint::kUnix, Joint::kLoopback};
  for (const Joint ofLeft : kJoints) {
    for (const Joint ofRight : kJoints) {
      BOOST_TEST_CONTEXT(static_cast<int>(ofLeft) << " with " << static_cast<int>(ofRight)) {
        Relaying test;
        test.open(Mode::kCopied, ofLeft, ofRight);

        test.left.send(kBulk);
        test.right.send(kBulk / 2);
        test.waitForAll();

        const bool descriptors = ofLeft != Joint::kLoopback && ofRight != Joint::kLoopback;
        BOOST_TEST(test.isSpliced(test.b) == descriptors);
        test.left.transport().loseWriteConnection();
        test.right.transport().loseWriteConnection();
        test.waitForLosses();
        BOOST_TEST(test.left.why == std::error_code());
        BOOST_TEST(test.right.why == std::error_code());
      }
    }
  }
}

// --- How much it holds --------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_sink_that_does_not_read_stops_the_source_until_it_does) {
  for (const Mode mode : kModes) {
    BOOST_TEST_CONTEXT(mode) {
      Relaying test;
      test.open(mode);

      const std::size_t onTheWay = test.fillUp();
      const std::size_t inMemory = test.b.transport().bufferedBytes();

      // An untapped relay that is flooded is spliced soon.
      const std::size_t most = mode == Mode::kTapped ? Transport::kHighWaterMark + kLargestReceive
                                                     : kPipe + Transport::kHighWaterMark;
      BOOST_TEST(inMemory <= Transport::kHighWaterMark + kLargestReceive);
      BOOST_TEST(onTheWay <= most + kSocketBuffers);
      test.right.transport().resumeProducing();
      test.waitForAll();
    }
  }
}

BOOST_AUTO_TEST_CASE(a_stopped_direction_does_not_stop_the_other) {
  for (const Mode mode : kModes) {
    BOOST_TEST_CONTEXT(mode) {
      Relaying test;
      test.open(mode);
      test.fillUp();

      test.right.send(kBulk);
      test.waitFor(test.left, test.right);

      test.right.transport().resumeProducing();
      test.waitForAll();
    }
  }
}

BOOST_AUTO_TEST_CASE(a_sink_that_reads_now_and_then_gets_it_all) {
  for (const Mode mode : kModes) {
    BOOST_TEST_CONTEXT(mode) {
      Relaying test;
      test.open(mode);
      test.left.send(kBulk);

      while (!test.right.hasAllOf(test.left)) {
        const std::uint64_t before = test.right.pattern.count();
        test.right.transport().resumeProducing();
        test.loop.runUntil([&] { return test.right.pattern.count() > before; }, "some more");
        test.right.transport().pauseProducing();
        test.loop.turn(3);
        BOOST_REQUIRE(test.right.pattern.good());
      }
    }
  }
}

// --- What it refuses ----------------------------------------------------------------------------

BOOST_FIXTURE_TEST_CASE(a_connection_cannot_be_relayed_to_itself, Relaying) {
  connectBoth();

  BOOST_TEST(refusalOf(a.transport(), a.transport()) == kTwoOfOneReactor);

  relayIn(Mode::kCopied);
  left.send(1000);
  waitForAll();
}

BOOST_FIXTURE_TEST_CASE(connections_of_two_reactors_cannot_be_relayed, Relaying) {
  connectBoth();
  Recorder far, farther;
  ReactorFixture other;
  other.connect(far, farther);

  BOOST_TEST(refusalOf(a.transport(), far.transport()) == kTwoOfOneReactor);

  BOOST_TEST(!a.transport().producer());
  BOOST_TEST(!far.transport().producer());
}

BOOST_FIXTURE_TEST_CASE(a_connection_with_a_producer_cannot_be_relayed, Relaying) {
  connectBoth();
  b.transport().registerProducer(a.transport(), Production::kStreaming);
  const std::string expected = "relay: unregister the transports' producers first";

  BOOST_TEST(refusalOf(a.transport(), b.transport()) == expected);
  BOOST_TEST(refusalOf(b.transport(), a.transport()) == expected);

  b.transport().unregisterProducer();
}

BOOST_FIXTURE_TEST_CASE(a_connection_that_closes_cannot_be_relayed, Relaying) {
  connectBoth();
  b.transport().loseConnection();

  BOOST_TEST(refusalOf(a.transport(), b.transport()) == kMustBeConnected);
  a.transport().loseWriteConnection();
  BOOST_TEST(refusalOf(b.transport(), a.transport()) == kMustBeConnected);

  BOOST_TEST(!a.transport().producer());
}

BOOST_AUTO_TEST_CASE(a_connection_whose_input_has_ended_cannot_be_relayed) {
  for (const Joint joint : {Joint::kTcp, Joint::kLoopback}) {
    Relaying test;
    test.a.halfCloseable = true;
    test.connectBoth(joint, Joint::kTcp);
    test.left.transport().loseWriteConnection();
    test.loop.runUntil([&] { return test.a.heard("readLost"); }, "the end of input");

    const std::string expected = "relay: the input of a transport has ended already";
    BOOST_TEST(refusalOf(test.a.transport(), test.b.transport()) == expected);
    BOOST_TEST(refusalOf(test.b.transport(), test.a.transport()) == expected);
  }
}

BOOST_AUTO_TEST_SUITE_END()
