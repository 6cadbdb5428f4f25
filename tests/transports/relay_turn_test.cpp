// relay(): how much passes in one turn of the loop.
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/splicing_calls.h>
#include <penstock/tests/transports/relaying.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;
using std::chrono_literals::operator""ms;

BOOST_AUTO_TEST_SUITE(relay_turn_test)

namespace {

constexpr std::uint64_t kMostPerTurn = 4 << 20;
constexpr std::uint64_t kPipe = 1 << 20;
constexpr std::size_t kWaiting = 12 << 20;  // More than two turns of it.

// All of it waits in the socket when the relay begins, and the sink has space for all of it. No
// real kernel gives a socket that much without being told to.
struct Waiting : Relaying {
  Waiting() {
    loop.connect(left, a, SocketFamily::kTcp, &enlargeBuffers);
    loop.connect(right, b, SocketFamily::kTcp, &enlargeBuffers);
    a.transport().pauseProducing();
    left.send(kWaiting);
    loop.runUntil([this] { return left.transport().bufferedBytes() == 0; }, "all to be sent");
  }
};

}  // namespace

BOOST_AUTO_TEST_CASE(more_than_a_turn_takes_arrives_though_no_event_comes,
                     *precondition(onSimulatedKernel)) {
  splicing();
  Waiting test;

  test.relayIn(Mode::kCopied);

  test.waitForAll();
  BOOST_TEST(test.isSpliced(test.b));
}

BOOST_AUTO_TEST_CASE(a_turn_splices_no_more_than_its_limit_and_one_pipe,
                     *precondition(onSimulatedKernel)) {
  Splicing& calls = splicing();
  Waiting test;
  test.relayIn(Mode::kCopied);

  std::uint64_t most = 0;
  for (int turns = 0; !test.right.hasAllOf(test.left); ++turns) {
    BOOST_REQUIRE(turns < 1000);
    const std::uint64_t before = calls.filled;
    test.loop->iterate(1ms);  // In the simulation, time passes only while the loop waits.
    most = std::max(most, calls.filled - before);
  }

  BOOST_TEST(most <= kMostPerTurn + kPipe);
  BOOST_TEST(most > kMostPerTurn / 2);  // It could have been more.
}

BOOST_AUTO_TEST_SUITE_END()
