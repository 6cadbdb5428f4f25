// Random scripts on the simulated kernel: many seeds, each a few connections whose ends do at
// random whatever a protocol may do. PENSTOCK_TEST_SEEDS says how many seeds, PENSTOCK_TEST_SEED
// where they start.
#include <boost/test/unit_test.hpp>

#include <penstock/runtime/epoll/reactor.h>
#include <penstock/runtime/uring/reactor.h>
#include <penstock/sim/kernel.h>
#include <penstock/tests/support/backend.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace penstock {

BOOST_AUTO_TEST_SUITE(simulated_soak_test)

namespace {

using namespace std::chrono_literals;

struct Script {
  explicit Script(std::uint64_t seed) : random(seed) {}

  // One of 0 to `ways - 1`.
  unsigned pick(unsigned ways) { return static_cast<unsigned>(random() % ways); }

  void fail(const std::string& what) { failures.insert(what); }

  std::mt19937_64 random;
  std::set<std::string> failures;
  int open = 0;
};

// What one end of a connection has done, for the other to judge by.
struct Side {
  std::size_t written = 0;
  std::size_t received = 0;
  bool endsRudely = false;  // By an abort or an exception: the rest may be lost.
  bool wantsEnd = false;    // Asked for the end itself: it may miss what comes.
};

struct Link {
  std::byte at(unsigned side, std::size_t offset) const {
    return static_cast<std::byte>(offset * 31 + (offset >> 8) + number * 7 + side * 13);
  }

  unsigned number;
  std::array<Side, 2> sides{};
};

// One end: after each callback it may do something, and after a while it closes.
class Actor final : public Protocol, private Producer {
 public:
  Actor(Script& script, Link& link, unsigned side)
      : script_(script), link_(link), side_(side), halfCloseable_(script.pick(2) == 0) {}

  void connectionMade(Transport& transport) override {
    transport_ = &transport;
    ++script_.open;
    later(1s, [this] { close(); });
    later(2s, [this] { abort(); });  // Two that both flush and no longer read would wait forever.
    act();
  }

  void dataReceived(Bytes bytes) override {
    if (ended_ || paused_) script_.fail("bytes came although none were wanted");
    for (const std::byte byte : bytes) {
      if (byte != link_.at(1 - side_, mine().received++)) return script_.fail("a wrong byte came");
    }
    act();
  }

  bool isHalfCloseable() const noexcept override { return halfCloseable_; }

  void readConnectionLost() override {
    if (std::exchange(ended_, true)) script_.fail("input ended twice");
    requireAll();
    act();
  }

  void writeConnectionLost() override { act(); }

  void connectionLost(std::error_code why) override {
    if (!transport_) script_.fail("connectionLost came twice");
    if (producing_) script_.fail("a producer outlived its connection");
    if (!why && !mine().wantsEnd) requireAll();
    if (why || !mine().wantsEnd) mine().endsRudely = true;  // By the other side: queued is lost.
    transport_ = nullptr;
    --script_.open;
  }

 private:
  Side& mine() { return link_.sides[side_]; }

  // A clean end comes after everything that was written.
  void requireAll() {
    const Side& other = link_.sides[1 - side_];
    if (!other.endsRudely && mine().received != other.written) script_.fail("bytes are missing");
  }

  void act() {
    if (!transport_) return;
    switch (script_.pick(24)) {
      case 0:
        return close();
      case 1:
        return abort();
      case 2:
        closedWriting_ = true;
        return transport_->loseWriteConnection();
      case 3:
      case 4:
        return pause();
      case 5:
        return produce();
      case 6:
        if (script_.pick(8) > 0) return;
        mine().endsRudely = mine().wantsEnd = true;
        throw std::runtime_error("the script says so");
      case 7:
      case 8:
        return write(200'000);
      default:
        return write(2'000);
    }
  }

  // Calls `callback` after `delay`, unless the connection is gone.
  template <class Call>
  void later(Duration delay, Call callback) {
    transport_->reactor().callLater(delay, [this, callback, alive = std::weak_ptr(alive_)] {
      if (!alive.expired() && transport_) callback();
    });
  }

  void write(unsigned most) {
    if (closedWriting_ || mine().wantsEnd || producing_) return;
    std::vector<std::byte> bytes(1 + script_.pick(most));
    for (std::byte& byte : bytes) byte = link_.at(side_, mine().written++);
    transport_->write(bytes);
  }

  void pause() {
    if (std::exchange(paused_, true)) return;
    transport_->pauseProducing();
    later(std::chrono::microseconds(script_.pick(1000)), [this] {
      paused_ = false;
      transport_->resumeProducing();
    });
  }

  void abort() {
    mine().wantsEnd = mine().endsRudely = true;
    transport_->abortConnection();
  }

  void close() {
    mine().wantsEnd = true;
    if (producing_) stopProducing();
    transport_->stopConsuming();
  }

  // As a producer: a few writes, each when asked.
  void produce() {
    if (producing_ || closedWriting_ || mine().wantsEnd) return;
    producing_ = true;
    portions_ = 1 + script_.pick(5);
    transport_->registerProducer(*this, Production::kPull);
  }

  void resumeProducing() override {
    if (!producing_) return script_.fail("a producer was asked after it had stopped");
    if (portions_-- == 0) {
      producing_ = false;
      return transport_->unregisterProducer();
    }
    producing_ = false;
    write(100'000);
    producing_ = true;
  }

  void pauseProducing() override { script_.fail("a pull producer was paused"); }
  void stopProducing() override { producing_ = false; }

  Script& script_;
  Link& link_;
  const unsigned side_;
  const bool halfCloseable_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
  Transport* transport_ = nullptr;
  bool ended_ = false;
  bool paused_ = false;
  bool closedWriting_ = false;
  bool producing_ = false;
  unsigned portions_ = 0;
};

std::unique_ptr<Reactor> reactorOf(Backend family, Script& script) {
  ReactorOptions options;
  options.log = [](std::string_view) {};
  if (family == Backend::kEpoll) return std::make_unique<epoll::Reactor>(std::move(options));
  options.uring.multishotReceive = script.pick(2) == 0;
  options.uring.featuresOff = static_cast<std::uint32_t>(script.random() & script.random());
  return std::make_unique<uring::Reactor>(std::move(options));
}

void runScript(Backend family, std::uint64_t seed, const sim::Faults& faults) {
  sim::Kernel kernel(seed, faults);
  Script script(seed);
  if (seed % 2) kernel.setLargestRing(64);
  kernel.onViolation([&](const std::string& what) { script.fail(what); });
  std::vector<std::unique_ptr<Link>> links;
  {
    const auto reactor = reactorOf(family, script);
    for (unsigned number = 0; number < 1 + seed % 5; ++number) {
      links.push_back(std::make_unique<Link>(Link{number}));
      auto fds = kernel.pair(reactor->socketFlags(), script.pick(2) ? AF_INET : AF_UNIX);
      Link& link = *links.back();
      reactor->openStream(std::move(fds.first), std::make_unique<Actor>(script, link, 0));
      reactor->openStream(std::move(fds.second), std::make_unique<Actor>(script, link, 1));
    }
    const TimePoint limit = kernel.now() + 100s;
    while (script.open > 0 && kernel.now() < limit) reactor->iterate(100ms);
    if (script.open > 0) script.fail("connections are left open");
  }
  if (script.open != 0) script.fail("connectionLost did not come once for each connection");
  if (kernel.openDescriptors() > 0) script.fail("descriptors are left open");
  for (const std::string& failure : script.failures) {
    BOOST_ERROR("seed " << seed << ": " << failure);
  }
}

void runScripts(Backend family, const sim::Faults& faults) {
  const char* text = std::getenv("PENSTOCK_TEST_SEEDS");
  const std::uint64_t seeds = text ? std::strtoull(text, nullptr, 10) : 50;
  const std::uint64_t first = testing::testSeed();
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) runScript(family, seed, faults);
  BOOST_TEST(seeds > 0U);
}

}  // namespace

BOOST_AUTO_TEST_CASE(epoll_keeps_its_promises_on_a_kernel_without_faults) {
  runScripts(Backend::kEpoll, sim::Faults::none());
}

BOOST_AUTO_TEST_CASE(uring_keeps_its_promises_on_a_kernel_without_faults) {
  runScripts(Backend::kUring, sim::Faults::none());
}

BOOST_AUTO_TEST_CASE(epoll_keeps_its_promises_under_benign_faults) {
  runScripts(Backend::kEpoll, sim::Faults::benign());
}

BOOST_AUTO_TEST_CASE(uring_keeps_its_promises_under_benign_faults) {
  runScripts(Backend::kUring, sim::Faults::benign());
}

BOOST_AUTO_TEST_CASE(epoll_keeps_its_promises_while_connections_are_reset) {
  runScripts(Backend::kEpoll, sim::Faults::hostile());
}

BOOST_AUTO_TEST_CASE(uring_keeps_its_promises_while_connections_are_reset) {
  runScripts(Backend::kUring, sim::Faults::hostile());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace penstock
