#include <penstock/runtime/errors.h>
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <boost/test/unit_test.hpp>

#include <utility>

namespace penstock::testing {
namespace {

using namespace std::chrono_literals;

constexpr int kQuietTurns = 10;
constexpr Duration kQuietTime = 5ms;

}  // namespace

ReactorFixture::ReactorFixture(ReactorOptions options) {
  if (!options.log) {
    options.log = [this](std::string_view line) { logLines_.emplace_back(line); };
  }
  reactor_ = makeReactor(std::move(options));
}

void ReactorFixture::runUntil(const std::function<bool()>& done, std::string_view what,
                              std::chrono::seconds limit) {
  const TimePoint deadline = reactor_->now() + limit;
  while (!done()) {
    if (reactor_->now() >= deadline) {
      BOOST_FAIL("waited " << limit.count() << " s for " << what);
    }
    const bool workWaits = reactor_->timeUntilDue() == Duration::zero();  // It may fulfil `done`.
    reactor_->iterate(workWaits ? Duration::zero() : deadline - reactor_->now());
  }
  if (testBackend().simulated && reactor_->now() >= deadline) {
    BOOST_ERROR("only the end of the wait has woken the loop: " << what);
  }
}

void ReactorFixture::pollUntil(const std::function<bool()>& done, std::string_view what) {
  const TimePoint deadline = reactor_->now() + 20s;
  while (!done()) {
    if (reactor_->now() >= deadline) BOOST_FAIL("waited 20 s for " << what);
    reactor_->iterate(1ms);
  }
}

void ReactorFixture::turn(int count) {
  for (int i = 0; i < count; ++i) reactor_->iterate();
}

// Loopback delivers within the system call that sends, so that a quiet while means that nothing is
// under way; the turns allow for what a kernel, simulated or not, puts off.
void ReactorFixture::settle() {
  std::uint64_t seen = eventsWrittenDown();
  TimePoint quietSince = reactor_->now();
  for (int turns = 0; turns < kQuietTurns || reactor_->now() - quietSince < kQuietTime; ++turns) {
    reactor_->iterate(1ms);
    if (eventsWrittenDown() == seen) continue;
    seen = eventsWrittenDown();
    quietSince = reactor_->now();
    turns = 0;
  }
}

Listener& ReactorFixture::listen(ProtocolFactory factory, SocketFamily family) {
  return reactor_->openListener(makeListeningSocket(*reactor_, family), std::move(factory));
}

void ReactorFixture::connectTo(const SocketAddress& to, Recorder& client, SocketFamily family) {
  reactor_->openConnect(makeSocket(*reactor_, family), to.data(), to.length(),
                        [this, &client](std::error_code why, OwnedFd fd) {
                          if (why == ConnectionError::kLost) return;  // The reactor is going.
                          BOOST_REQUIRE_MESSAGE(!why, "connect: " << why.message());
                          reactor_->openStream(std::move(fd), client.makeProtocol());
                        });
}

void ReactorFixture::connect(Recorder& client, Recorder& server, SocketFamily family,
                             const std::function<void(int fd)>& prepare) {
  Listener& listener = listen([&server] { return server.makeProtocol(); }, family);
  OwnedFd fd = makeSocket(*reactor_, family);
  if (prepare) {
    prepare(listener.descriptor());  // What is accepted inherits its buffer sizes.
    prepare(fd.get());
  }
  const SocketAddress to = addressOf(listener.descriptor());
  std::error_code failed;
  reactor_->openConnect(std::move(fd), to.data(), to.length(),
                        [&, this](std::error_code why, OwnedFd connected) {
                          failed = why;
                          if (!why) {
                            reactor_->openStream(std::move(connected), client.makeProtocol());
                          }
                        });
  runUntil([&] { return failed || (client.made() && server.made()); }, "both ends of a connection");
  BOOST_REQUIRE_MESSAGE(!failed, "connect: " << failed.message());
  listener.stopListening();
}

OwnedFd ReactorFixture::connectRawPeer(Recorder& server, SocketFamily family,
                                       std::optional<int> receiveBuffer) {
  Listener& listener = listen([&server] { return server.makeProtocol(); }, family);
  OwnedFd peer = connectRaw(addressOf(listener.descriptor()), receiveBuffer);
  runUntil([&] { return server.made(); }, "the accept");
  listener.stopListening();
  return peer;
}

void ReactorFixture::destroy() {
  delete reactor_.get();  // reset() would forget it first.
  static_cast<void>(reactor_.release());
}

}  // namespace penstock::testing
