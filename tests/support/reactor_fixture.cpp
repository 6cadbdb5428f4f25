#include <penstock/runtime/errors.h>
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <utility>

namespace penstock::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::seconds kPollLimit = 20s;
constexpr int kQuietTurns = 10;
constexpr Duration kQuietTime = 5ms;

// The simulated kernel is short of memory now and then, and then writers pause for 10 ms, several
// times in a row even. Virtual time costs nothing.
constexpr Duration kSimulatedQuietTime = 100ms;

// A UNIX socket that is accepted has inherited nothing from the one that listens.
void prepareAccepted(const Recorder& server, SocketFamily family, const Prepare& prepare) {
  if (prepare && family == SocketFamily::kUnix && server.connected()) {
    prepare(server.transport().descriptor());
  }
}

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
    if (reactor_->now() >= deadline) failWaiting(limit, what);
    const bool workWaits = reactor_->timeUntilDue() == Duration::zero();  // It may fulfil `done`.
    reactor_->iterate(workWaits ? Duration::zero() : deadline - reactor_->now());
  }
  if (testBackend().simulated && reactor_->now() >= deadline) {
    BOOST_ERROR("only the end of the wait has woken the loop: " << what);
  }
}

void ReactorFixture::failWaiting(std::chrono::seconds limit, std::string_view what) const {
  const char* const time = testBackend().simulated ? " s of virtual time for " : " s for ";
  std::string report;
  for (const std::string& line : diaries()) report += "\n  " + line;
  for (const std::string& line : logLines_) report += "\n  log: " + line;
  if (report.empty()) report = " nothing";
  BOOST_FAIL("waited " << limit.count() << time << what << "; heard by then:" << report);
  std::abort();  // BOOST_FAIL throws.
}

void ReactorFixture::pollUntil(const std::function<bool()>& done, std::string_view what) {
  const TimePoint deadline = reactor_->now() + kPollLimit;
  while (!done()) {
    if (reactor_->now() >= deadline) failWaiting(kPollLimit, what);
    reactor_->iterate(1ms);
  }
}

void ReactorFixture::turn(int count) {
  for (int i = 0; i < count; ++i) reactor_->iterate();
}

// Loopback delivers within the system call that sends, so that a quiet while means that nothing is
// under way; the turns allow for what a kernel, simulated or not, puts off.
void ReactorFixture::settle() {
  const Duration quietTime = testBackend().simulated ? kSimulatedQuietTime : kQuietTime;
  std::uint64_t seen = eventsWrittenDown();
  TimePoint quietSince = reactor_->now();
  for (int turns = 0; turns < kQuietTurns || reactor_->now() - quietSince < quietTime; ++turns) {
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
                             const Prepare& prepare) {
  Listener& listener = listen([&server] { return server.makeProtocol(); }, family);
  OwnedFd fd = makeSocket(*reactor_, family);
  if (prepare) {
    prepare(listener.descriptor());  // What is accepted inherits its buffer sizes, if it is TCP.
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
  prepareAccepted(server, family, prepare);
  listener.stopListening();
}

OwnedFd ReactorFixture::connectRawPeer(Recorder& server, SocketFamily family,
                                       const Prepare& prepare) {
  Listener& listener = listen([&server] { return server.makeProtocol(); }, family);
  if (prepare) prepare(listener.descriptor());
  OwnedFd peer = connectRaw(addressOf(listener.descriptor()), prepare);
  runUntil([&] { return server.made(); }, "the accept");
  prepareAccepted(server, family, prepare);
  listener.stopListening();
  return peer;
}

void ReactorFixture::destroy() {
  delete reactor_.get();  // reset() would forget it first.
  static_cast<void>(reactor_.release());
}

}  // namespace penstock::testing
