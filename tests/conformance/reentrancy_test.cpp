// Everything that can be called may be called from inside every callback: the full product.
//
// One scene makes every callback of a connection happen: made, data, pause, resume, writeLost,
// readLost, stop, lost, a timer and a call. It is played once for each pair of a callback and an
// action, and whatever becomes of it, the connection's life must have the shape that is promised.
#define BOOST_TEST_MODULE reentrancy
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/scripted_producer.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using Events = std::vector<std::string>;

namespace {

struct Action {
  const char* name;
  std::function<void(Transport&)> perform;
};

ScriptedProducer another;  // What an action registers; it only listens.

const std::vector<Action>& actions() {
  static const std::string much(500'000, 'm');
  static const std::vector<Action> all{
      {"nothing", [](Transport&) {}},
      {"loseConnection", [](Transport& t) { t.loseConnection(); }},
      {"loseWriteConnection", [](Transport& t) { t.loseWriteConnection(); }},
      {"abortConnection", [](Transport& t) { t.abortConnection(); }},
      {"stopConsuming", [](Transport& t) { t.stopConsuming(); }},
      {"write", [](Transport& t) { t.write(asBytes("w")); }},
      {"write much", [](Transport& t) { t.write(asBytes(much)); }},
      {"pauseProducing", [](Transport& t) { t.pauseProducing(); }},
      {"resumeProducing", [](Transport& t) { t.resumeProducing(); }},
      {"unregisterProducer", [](Transport& t) { t.unregisterProducer(); }},
      {"register another",
       [](Transport& t) {
         t.unregisterProducer();
         t.registerProducer(another, Production::kPull);
       }},
      {"write and close",
       [](Transport& t) {
         t.write(asBytes(much));
         t.stopConsuming();
       }},
      {"close and abort",
       [](Transport& t) {
         t.loseConnection();
         t.abortConnection();
       }},
      {"half-close and close",
       [](Transport& t) {
         t.loseWriteConnection();
         t.loseConnection();
       }},
  };
  return all;
}

class Scene {
 public:
  // `action` happens the first time that `where` does.
  Scene(std::string where, const Action& action) : where_(std::move(where)), action_(action) {
    another.events.clear();
    server.halfCloseable = client.halfCloseable = true;
    scriptServer();
    scriptClient();
    scriptProducers();
  }

  void play() {
    loop.connect(client, server);
    loop.settle();
    for (int i = 0; i < 3 && !over(); ++i) help();
    loop.runUntil([this] { return over(); }, "both ends to be lost");
    loop.settle();
  }

  bool over() const { return server.lost && client.lost; }

  Recorder client, server;
  ScriptedProducer producer, last;
  Events eventsBefore;  // Of the server, when the action was taken.
  bool acted = false;
  bool calledBackFromInside = false;
  bool wasOver = false;  // The connection was lost already when the action was taken.
  ReactorFixture loop;

 private:
  void at(const std::string& place) {
    if (place != where_ || acted) return;
    acted = true;
    eventsBefore = server.events;
    wasOver = transport_->disconnected();
    const bool mayEndInside = transport_->writeDisconnected();
    action_.perform(*transport_);
    calledBackFromInside = server.events != eventsBefore && !mayEndInside;
  }

  template <class Step>
  void unlessOver(Step step) {
    if (transport_ && !transport_->disconnected()) step(*transport_);
  }

  void scriptServer() {
    server.onMade = [this](Transport& transport) {
      transport_ = &transport;
      transport.registerProducer(producer, Production::kStreaming);
      startClocks();
      at("made");
    };
    server.onData = [this](Bytes) {
      at("data");
      unlessOver([](Transport& t) { t.write(asBytes(std::string(300'000, 's'))); });
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
      transport.write(asBytes("hello"));
    };
    client.onReadLost = [this] { client.transport().loseConnection(); };
  }

  void scriptProducers() {
    producer.onPause = [this] { at("pause"); };
    producer.onResume = [this] {
      at("resume");
      unlessOver([](Transport& t) {
        t.unregisterProducer();
        t.loseWriteConnection();
      });
    };
    producer.onStop = last.onStop = [this] { at("stop"); };
  }

  // An abort before the client has heard of its connection would be a failure to connect.
  void startClocks() {
    if (!client.made() || !server.made()) return;
    loop->callLater(Duration::zero(), [this] { whileThere("timer"); });
    loop->callSoon([this] { whileThere("call"); });
  }

  void whileThere(const std::string& place) {
    if (transport_) at(place);
  }

  // The action may have left the scene waiting for good; then both sides just go.
  void help() {
    if (server.connected()) {
      server.transport().resumeProducing();
      server.transport().stopConsuming();
    }
    loop.settle();
    if (client.connected()) client.transport().stopConsuming();
    loop.settle();
  }

  Transport* transport_ = nullptr;
  std::string where_;
  const Action& action_;
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
  BOOST_TEST((std::find(end, events.end(), "data") == events.end()));
}

void checkProducer(const ScriptedProducer& producer) {
  BOOST_TEST(producer.count("stop") <= 1);
  if (producer.count("stop") == 1) BOOST_TEST(producer.events.back() == "stop");
  BOOST_TEST(producer.count("resume") <= producer.count("pause"));
}

void checkAbort(const Scene& scene) {
  Events expected = scene.eventsBefore;
  expected.push_back("lost: " + make_error_code(ConnectionError::kAborted).message());
  BOOST_TEST(scene.server.events == expected, boost::test_tools::per_element());
}

void doEverythingIn(const std::string& where) {
  for (const Action& action : actions()) {
    BOOST_TEST_CONTEXT(action.name << " from inside " << where) {
      Scene scene(where, action);
      scene.play();

      BOOST_TEST(scene.acted);
      BOOST_TEST(!scene.calledBackFromInside);
      checkShape(scene.server.events);
      checkShape(scene.client.events);
      checkProducer(scene.producer);
      checkProducer(scene.last);
      const std::string name = action.name;
      if (name.find("abort") != std::string::npos && !scene.wasOver) {
        const bool closedInside = name == "close and abort" && !scene.server.why;
        if (!closedInside) checkAbort(scene);
      }
      BOOST_TEST(scene.loop.logLines().empty());
    }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_scene_makes_every_callback_happen) {
  Scene scene("nowhere", actions().front());
  scene.play();

  const Events server{"made", "data", "writeLost", "readLost", "lost"};
  BOOST_TEST(scene.server.events == server, boost::test_tools::per_element());
  const Events producer{"pause", "resume"};
  BOOST_TEST(scene.producer.events == producer, boost::test_tools::per_element());
  BOOST_TEST(scene.last.events == Events{"stop"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(anything_may_be_done_in_connection_made) { doEverythingIn("made"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_data_received) { doEverythingIn("data"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_pause_producing) { doEverythingIn("pause"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_resume_producing) { doEverythingIn("resume"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_write_connection_lost) { doEverythingIn("writeLost"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_read_connection_lost) { doEverythingIn("readLost"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_stop_producing) { doEverythingIn("stop"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_connection_lost) { doEverythingIn("lost"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_a_timer) { doEverythingIn("timer"); }
BOOST_AUTO_TEST_CASE(anything_may_be_done_in_a_call) { doEverythingIn("call"); }
