// Everything that can be called may be called from inside every callback: the full product.
//
// One scene makes every callback of a connection happen: made, data, pause, resume, writeLost,
// readLost, stop, lost, a timer and a call. It is played once for each pair of a callback and an
// action, and whatever becomes of it, the connection's life must have the shape that is promised.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/scripted_producer.h>
#include <penstock/transports/loopback.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <functional>
#include <list>
#include <span>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using Events = std::vector<std::string>;

BOOST_AUTO_TEST_SUITE(reentrancy_test)

namespace {

// Over the high-water mark, and more than a kernel with small buffers takes at a time.
const std::string answer(300'000, 's');

struct Action {
  const char* name;
  std::function<void(Transport&)> perform;

  // What must hold right afterwards, if the connection was not over before.
  std::function<bool(Transport&)> taken = [](Transport&) { return true; };

  std::size_t written = 0;  // How many of kWritten the peer must get then, if we still may write.
};

constexpr char kWritten = 'w';
const std::string kMuch(500'000, kWritten);

ScriptedProducer another;  // What an action registers; it only listens.

bool closes(Transport& t) { return t.disconnecting() || t.disconnected(); }
bool halfCloses(Transport& t) { return t.writeDisconnecting() || closes(t); }

// The first kOnEveryLink are taken over every link, the others over the first.
constexpr std::size_t kOnEveryLink = 5;

const std::vector<Action>& actions() {
  static const std::vector<Action> all{
      {"abortConnection", [](Transport& t) { t.abortConnection(); }},
      {"pauseProducing", [](Transport& t) { t.pauseProducing(); }},
      {"register another",
       [](Transport& t) {
         t.unregisterProducer();
         t.registerProducer(another, Production::kPull);
       },
       [](Transport& t) { return t.producer() == &another; }},
      {"write and close",
       [](Transport& t) {
         t.write(asBytes(kMuch));
         t.stopConsuming();
       },
       closes, kMuch.size()},
      {"half-close and close",
       [](Transport& t) {
         t.loseWriteConnection();
         t.loseConnection();
       },
       closes},
      {"loseConnection", [](Transport& t) { t.loseConnection(); }, closes},
      {"loseWriteConnection", [](Transport& t) { t.loseWriteConnection(); }, halfCloses},
      {"stopConsuming", [](Transport& t) { t.stopConsuming(); },
       [](Transport& t) { return closes(t) && !t.producer(); }},
      {"write", [](Transport& t) { t.write(asBytes(std::string(1, kWritten))); },
       [](Transport& t) { return t.bufferedBytes() > 0 || t.writeDisconnected(); }, 1},
      {"write much", [](Transport& t) { t.write(asBytes(kMuch)); },
       [](Transport& t) { return t.bufferedBytes() >= kMuch.size() || t.writeDisconnected(); },
       kMuch.size()},
      {"resumeProducing", [](Transport& t) { t.resumeProducing(); }},
      {"unregisterProducer", [](Transport& t) { t.unregisterProducer(); },
       [](Transport& t) { return !t.producer(); }},
      {"close and abort",
       [](Transport& t) {
         t.loseConnection();
         t.abortConnection();
       },
       closes},
  };
  return all;
}

// What joins the side that the script is for, `server`, to the other.
enum class Link { kAccepted, kConnected, kLoopback };

// How the first producer is driven.
enum class Drive { kStreaming, kLowWater, kPull };

class Scene {
 public:
  // `action` happens the first time that `where` does.
  Scene(ReactorFixture& loop, std::string where, const Action& action, Link link, Drive drive)
      : loop(loop), where_(std::move(where)), action_(action), link_(link), drive_(drive) {
    another.events.clear();
    server.halfCloseable = client.halfCloseable = true;
    scriptServer();
    scriptClient();
    scriptProducers();
  }

  void play() {
    join();
    loop.runUntil([this] { return acted || over(); }, "the action, or the end of a scene without");
    loop.settle();
    eventsUnaided = server.events;
    help();
    loop.runUntil([this] { return over(); }, "both ends to be lost");
    loop.settle();
  }

  bool over() const { return server.lost && client.lost; }

  Recorder client, server;
  ScriptedProducer producer, last;
  Events eventsBefore;   // Of the server, when the action was taken.
  Events eventsUnaided;  // When it came to rest by itself.
  bool acted = false;
  bool taken = false;
  bool calledBackFromInside = false;
  bool wasOver = false;  // The connection was lost already when the action was taken.
  bool mayWrite = false;
  ReactorFixture& loop;

 private:
  void join() {
    switch (link_) {
      case Link::kAccepted:
        return joinAccepted();
      case Link::kConnected:
        return loop.connect(server, client, SocketFamily::kTcp, [this](int fd) { prepare(fd); });
      case Link::kLoopback:
        loopbackPair(loop.reactor(), client.makeProtocol(), server.makeProtocol());
        return;
    }
  }

  void prepare(int fd) const {
    if (drive_ == Drive::kLowWater) useSmallBuffers(fd);
  }

  // The client hears of it first: to be aborted before would be a failure to connect.
  void joinAccepted() {
    OwnedFd fd = makeListeningSocket(loop.reactor(), SocketFamily::kTcp);
    prepare(fd.get());
    loop.connectTo(addressOf(fd.get()), client, SocketFamily::kTcp);
    loop.runUntil([this] { return client.made(); }, "the connect");
    Listener& listener =
        loop->openListener(std::move(fd), [this] { return server.makeProtocol(); });
    loop.runUntil([this] { return server.made(); }, "the accept");
    listener.stopListening();
  }

  void at(const std::string& place) {
    if (place != where_ || acted) return;
    acted = true;
    eventsBefore = server.events;
    wasOver = transport_->disconnected();
    const bool mayEndInside = transport_->writeDisconnected();
    mayWrite = !wasOver && !mayEndInside;
    action_.perform(*transport_);
    taken = wasOver || !transport_ || action_.taken(*transport_);
    calledBackFromInside = server.events != eventsBefore && !mayEndInside;
  }

  template <class Step>
  void unlessOver(Step step) {
    if (transport_ && !transport_->disconnected()) step(*transport_);
  }

  void scriptServer() {
    server.onMade = [this](Transport& transport) {
      transport_ = &transport;
      if (drive_ == Drive::kLowWater) {
        transport.setHighWaterMark(answer.size() - 1);
        transport.setLowWaterMark(answer.size() - 2);
      }
      transport.registerProducer(
          producer, drive_ == Drive::kPull ? Production::kPull : Production::kStreaming);
      startClocks();
      at("made");
    };
    server.onData = [this](Bytes) {
      at("data");
      unlessOver([](Transport& t) { t.write(asBytes(answer)); });
    };
    server.onWriteLost = [this] { at("writeLost"); };
    server.onReadLost = [this] {
      at("readLost");
      unlessOver([this](Transport& t) {
        if (!t.producer()) t.registerProducer(last, Production::kStreaming);
        t.loseConnection();
      });
    };
    server.onLost = [this](std::error_code) {
      at("lost");
      transport_ = nullptr;
    };
  }

  void scriptClient() {
    client.onMade = [this](Transport& transport) {
      startClocks();
      transport.write(asBytes("!"));  // One byte arrives whole.
    };
    client.onReadLost = [this] { client.transport().loseConnection(); };
  }

  void scriptProducers() {
    producer.onPause = [this] { at("pause"); };
    producer.onResume = [this] {
      const bool registering = producer.count("resume") == 1;
      if (transport_->bufferedBytes() > 0) at("low-water resume");
      if (drive_ == Drive::kPull && registering) {
        at("registration");
        return unlessOver([](Transport& t) { t.write(asBytes("a portion")); });
      }
      at("resume");
      unlessOver([](Transport& t) {
        t.unregisterProducer();
        t.loseWriteConnection();
      });
    };
    producer.onStop = last.onStop = [this] { at("stop"); };
  }

  // Not before both are there.
  void startClocks() {
    if (!client.made() || !server.made()) return;
    loop->callLater(Duration::zero(), [this] { whileThere("timer"); });
    loop->callSoon([this] { whileThere("call"); });
    BOOST_TEST(loop->callFromThread([this] { whileThere("thread call"); }));
  }

  void whileThere(const std::string& place) {
    if (transport_) at(place);
  }

  // The action may have left the server waiting for good; then it just goes, and the client
  // follows.
  void help() {
    if (!server.connected()) return;
    server.transport().resumeProducing();
    server.transport().stopConsuming();
  }

  Transport* transport_ = nullptr;
  std::string where_;
  const Action& action_;
  Link link_;
  Drive drive_;
};

std::ptrdiff_t countOf(const Events& events, const std::string& prefix) {
  return std::count_if(events.begin(), events.end(), [&](const std::string& event) {
    return event.substr(0, prefix.size()) == prefix;
  });
}

void checkShape(const Events& events) {
  BOOST_TEST(events.front() == "made");
  BOOST_TEST(countOf(events, "made") == 1);
  BOOST_TEST(events.back().substr(0, 4) == "lost");
  BOOST_TEST(countOf(events, "lost") == 1);
  BOOST_TEST(countOf(events, "readLost") <= 1);
  BOOST_TEST(countOf(events, "writeLost") <= 1);
  const auto end = std::find(events.begin(), events.end(), "readLost");
  BOOST_TEST(std::count(end, events.end(), "data") == 0);
}

void checkProducer(const ScriptedProducer& producer, bool pull = false) {
  BOOST_TEST(producer.count("stop") <= 1);
  if (producer.count("stop") == 1) BOOST_TEST(producer.events.back() == "stop");
  if (!pull) BOOST_TEST(producer.count("resume") <= producer.count("pause"));
}

void checkAbort(const Scene& scene) {
  Events expected = scene.eventsBefore;
  expected.push_back("lost: " + make_error_code(ConnectionError::kAborted).message());
  BOOST_TEST(scene.server.events == expected, boost::test_tools::per_element());
}

// What the action is for has happened, and not only because the scene was helped to its end.
void checkOutcome(const Scene& scene, const Action& action) {
  const std::string name = action.name;
  if (scene.wasOver) return;
  if (name.find("abort") != std::string::npos) {
    const bool closedInside = name == "close and abort" && !scene.server.why;
    if (!closedInside) checkAbort(scene);
    return;
  }
  BOOST_TEST(scene.server.why == std::error_code());
  if (name == "pauseProducing") {
    BOOST_TEST(countOf(scene.eventsUnaided, "data") == countOf(scene.eventsBefore, "data"));
    BOOST_TEST(countOf(scene.eventsUnaided, "readLost") == countOf(scene.eventsBefore, "readLost"));
  }
  // A close with bytes that were not read resets, and then the kernel drops what was sent.
  const bool mayReset = name == "write and close" && countOf(scene.eventsBefore, "data") == 0;
  if (scene.mayWrite && !mayReset) {
    const auto arrived = std::ranges::count(scene.client.received, kWritten);
    BOOST_TEST(static_cast<std::size_t>(arrived) == action.written);
  }
}

void checkScene(const Scene& scene, const Action& action, Drive drive) {
  BOOST_TEST(scene.acted);
  BOOST_TEST(scene.taken);
  BOOST_TEST(!scene.calledBackFromInside);
  checkShape(scene.server.events);
  checkShape(scene.client.events);
  checkProducer(scene.producer, drive == Drive::kPull);
  checkProducer(scene.last);
  checkOutcome(scene, action);
  BOOST_TEST(scene.loop.logLines().empty());
}

void doEverythingIn(const std::string& where, Drive drive = Drive::kStreaming) {
  std::list<Scene> scenes;
  ReactorFixture loop;
  for (const Link link : {Link::kAccepted, Link::kConnected, Link::kLoopback}) {
    const std::size_t count = link == Link::kAccepted ? actions().size() : kOnEveryLink;
    for (const Action& action : std::span(actions()).first(count)) {
      BOOST_TEST_CONTEXT(action.name << " from inside " << where << " over link "
                                     << static_cast<int>(link)) {
        Scene& scene = scenes.emplace_back(loop, where, action, link, drive);
        scene.play();
        checkScene(scene, action, drive);
      }
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_scene_makes_every_callback_happen) {
  const Action nothing{"nothing", [](Transport&) {}};
  ReactorFixture loop;
  for (const Link link : {Link::kAccepted, Link::kConnected, Link::kLoopback}) {
    Scene scene(loop, "nowhere", nothing, link, Drive::kStreaming);
    scene.play();

    const Events server{"made", "data", "writeLost", "readLost", "lost"};
    BOOST_TEST(scene.server.events == server, boost::test_tools::per_element());
    const Events producer{"pause", "resume"};
    BOOST_TEST(scene.producer.events == producer, boost::test_tools::per_element());
    BOOST_TEST(scene.last.events == Events{"stop"}, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(anything_may_be_done_in_connection_made) { doEverythingIn("made"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_data_received) { doEverythingIn("data"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_pause_producing) { doEverythingIn("pause"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_resume_producing) { doEverythingIn("resume"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_a_resume_at_the_low_water_mark) {
  doEverythingIn("low-water resume", Drive::kLowWater);
}
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_a_pull_producers_registration) {
  doEverythingIn("registration", Drive::kPull);
}
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_a_pull_producers_resume) {
  doEverythingIn("resume", Drive::kPull);
}
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_write_connection_lost) { doEverythingIn("writeLost"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_read_connection_lost) { doEverythingIn("readLost"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_stop_producing) { doEverythingIn("stop"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_connection_lost) { doEverythingIn("lost"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_a_timer) { doEverythingIn("timer"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_a_call) { doEverythingIn("call"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_a_call_of_another_thread) {
  doEverythingIn("thread call");
}

BOOST_AUTO_TEST_SUITE_END()
