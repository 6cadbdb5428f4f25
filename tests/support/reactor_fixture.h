// A reactor of the chosen backend, and ways to wait in it that end.
#pragma once

#include <penstock/runtime/reactor.h>
#include <penstock/tests/support/printing.h>
#include <penstock/tests/support/recording_protocol.h>
#include <penstock/tests/support/stream_pair.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::testing {

// Declare it after what its connections refer to (recorders, producers), so that it goes first:
//
//   Recorder client, server;
//   ReactorFixture loop;
//   loop.connect(client, server);
//
// All waiting has a limit, after which the test case fails and ends, saying what was heard by then.
class ReactorFixture {
 public:
  explicit ReactorFixture(ReactorOptions options = {});

  Reactor& reactor() noexcept { return *reactor_; }
  Reactor* operator->() noexcept { return reactor_.get(); }

  // Turns the loop until `done()`. `what` names the wait in the failure. Only what the loop itself
  // hears of ends its waits, so a wake-up that is lost fails.
  void runUntil(const std::function<bool()>& done, std::string_view what = "the condition",
                std::chrono::seconds limit = std::chrono::seconds(20));

  // The same for what comes to pass without the loop, as in another thread.
  void pollUntil(const std::function<bool()>& done, std::string_view what);

  // Turns the loop `count` times, without waiting.
  void turn(int count = 1);

  // Runs the loop until both sides are as quiet as they get: no event for a while.
  // For checking that something does not happen, or after what cannot be waited for.
  void settle();

  // A connection through a listener and a connect, with both ends in this loop. Returns when both
  // were made. `prepare` is called with the descriptors of both ends.
  void connect(Recorder& client, Recorder& server, SocketFamily family = SocketFamily::kTcp,
               const Prepare& prepare = {});

  // A listener that makes protocols with `factory`.
  Listener& listen(ProtocolFactory factory, SocketFamily family = SocketFamily::kTcp);

  // Connects to `to` and makes a transport of `client`.
  void connectTo(const SocketAddress& to, Recorder& client, SocketFamily family);

  // A connection to a blocking socket that is not Penstock. Real kernels only.
  OwnedFd connectRawPeer(Recorder& server, SocketFamily family = SocketFamily::kTcp,
                         const Prepare& prepare = {});

  // What the reactor logged.
  const std::vector<std::string>& logLines() const noexcept { return logLines_; }

  // Destroys the reactor now. What that calls back may still use reactor().
  void destroy();

 private:
  [[noreturn]] void failWaiting(std::chrono::seconds limit, std::string_view what) const;

  std::vector<std::string> logLines_;
  std::unique_ptr<Reactor> reactor_;
};

}  // namespace penstock::testing
