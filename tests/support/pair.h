// Two ends of a connection and the loop of both, in the order in which they have to be made.
#pragma once

#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/scripted_producer.h>

namespace penstock::testing {

struct Pair {
  explicit Pair(ReactorOptions options = {});

  // Connects them, with small buffers at both ends.
  void connect(SocketFamily family = SocketFamily::kTcp);

  // Waits until both are lost, and nothing more is heard.
  void waitForBothEnds();

  Recorder client, server;
  ScriptedProducer producer;
  ReactorFixture loop;
};

struct ConnectedPair : Pair {
  explicit ConnectedPair(bool halfCloseable = true, SocketFamily family = SocketFamily::kTcp);
};

}  // namespace penstock::testing
