#include <penstock/tests/support/pair.h>

#include <utility>

namespace penstock::testing {

Pair::Pair(ReactorOptions options) : loop(std::move(options)) {}

void Pair::connect(SocketFamily family) { loop.connect(client, server, family, useSmallBuffers); }

void Pair::waitForBothEnds() {
  loop.runUntil([&] { return client.lost && server.lost; }, "both ends to be lost");
  loop.settle();
}

ConnectedPair::ConnectedPair(bool halfCloseable, SocketFamily family) {
  client.halfCloseable = server.halfCloseable = halfCloseable;
  connect(family);
}

}  // namespace penstock::testing
