// The same script, the same events: a random script is played on epoll and on the backend of this
// run, and both must have logged the same.
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/scripted_producer.h>

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;
using Events = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(equality_test)

namespace {

// Plays one script of `steps` random actions. What a step causes is awaited before the next, so
// that the log does not depend on time; and writes are either so small that the kernel takes them
// always, or so large that it never takes them all from under a paused reader.
class Script {
 public:
  Script(std::uint64_t seed, int steps) : random_(seed), steps_(steps) {}

  Events play() {
    for (Side* side : {&client_, &server_}) prepare(*side);
    loop_.connect(client_.recorder, server_.recorder, SocketFamily::kTcp, useSmallBuffers);
    note("connect");
    for (int i = 0; i < steps_; ++i) act(random_() % 2 ? client_ : server_);
    finish();
    return log_;
  }

 private:
  struct Side {
    const char* name;
    Recorder recorder;
    ScriptedProducer producer;
    int portions = 0;
    std::size_t eventsSeen = 0, producerEventsSeen = 0, received = 0;

    Transport* transport() const { return recorder.connected() ? &recorder.transport() : nullptr; }
  };

  void prepare(Side& side) {
    side.recorder.halfCloseable = random_() % 2;
    side.recorder.keepsData = false;
    side.recorder.onData = [&side](Bytes bytes) { side.received += bytes.size(); };
    side.producer.onResume = [&side] {
      if (side.portions-- > 0) side.recorder.transport().write(asBytes("a portion"));
    };
  }

  void act(Side& side) {
    const auto choice = random_() % 20;
    const auto size = random_() % 100 + 1;
    const int portions = static_cast<int>(random_() % 5);
    Transport* transport = side.transport();
    if (!transport) return;
    const Side& peer = &side == &client_ ? server_ : client_;
    if (!peer.transport()) {  // What a write to nobody does is the kernel's choice, too.
      transport->stopConsuming();
      return note("follow", side);
    }
    switch (choice) {
      case 0:
      case 1:
        transport->pauseProducing();
        return note("pause", side);
      case 2:
      case 3:
        transport->resumeProducing();
        return note("resume", side);
      case 4:
        transport->write(asBytes(std::string(3'000'000, 'b')));
        return note("write much", side);
      case 5:
      case 6:
        if (transport->producer()) return;
        side.portions = portions;
        transport->registerProducer(side.producer,
                                    choice == 5 ? Production::kPull : Production::kStreaming);
        return note("register", side);
      case 7:
        transport->unregisterProducer();
        return note("unregister", side);
      case 8:
        quieten();
        transport->loseWriteConnection();
        return note("half-close", side);
      case 9:
        if (size > 30) return;
        quieten();
        if ((transport = side.transport())) transport->loseConnection();
        return note("close", side);
      case 10:
        if (size > 20) return;
        quieten();
        if ((transport = side.transport())) transport->abortConnection();
        return note("abort", side);
      default:
        transport->write(asBytes(std::string(size, 's')));
        return note("write", side);
    }
  }

  // Nothing may be left unread at an end: whether the peer hears a reset or an end first would be
  // the kernel's choice.
  void quieten() {
    for (const Side* side : {&client_, &server_}) {
      if (Transport* transport = side->transport()) transport->resumeProducing();
    }
    note("quieten");
  }

  void finish() {
    quieten();
    for (const Side* side : {&client_, &server_}) {
      if (Transport* transport = side->transport()) transport->stopConsuming();
      note("stop consuming");
    }
  }

  void note(const std::string& action, const Side& side) { note(action + " by " + side.name); }

  void note(const std::string& action) {
    loop_.settle();
    std::string line = action + ":";
    for (Side* side : {&client_, &server_}) describe(*side, line);
    log_.push_back(line);
  }

  static void describe(Side& side, std::string& line) {
    line += std::string(" [") + side.name;
    const Events& events = side.recorder.events;
    for (; side.eventsSeen < events.size(); ++side.eventsSeen) {
      line += " " + events[side.eventsSeen];
    }
    line += " got " + std::to_string(side.received);
    for (; side.producerEventsSeen < side.producer.events.size(); ++side.producerEventsSeen) {
      line += " producer " + side.producer.events[side.producerEventsSeen];
    }
    if (const Transport* transport = side.transport()) {
      line += transport->disconnecting() ? " disconnecting" : "";
      line += transport->writeDisconnected() ? " writeDisconnected" : "";
      line += transport->producerPaused() ? " producerPaused" : "";
      line += transport->bufferedBytes() > 0 ? " buffered" : "";
    }
    line += "]";
  }

  std::mt19937_64 random_;
  int steps_;
  Side client_{"client", {}, {}}, server_{"server", {}, {}};
  Events log_;
  ReactorFixture loop_;
};

Events playOn(const std::string& backend, std::uint64_t seed) {
  const std::string before = testBackend().name;
  BOOST_REQUIRE_EQUAL(chooseTestBackend(backend), "");
  Events log = Script(seed, 40).play();
  BOOST_REQUIRE_EQUAL(chooseTestBackend(before), "");
  return log;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_random_script_makes_the_same_events_as_on_epoll,
                     *precondition(onRealKernel)) {
  for (std::uint64_t seed = testSeed(); seed < testSeed() + 6; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      const Events expected = playOn("epoll", seed);
      const Events here = playOn(testBackend().name, seed);

      BOOST_TEST(here == expected, boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
