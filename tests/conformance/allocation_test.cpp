// Once warm, a message costs no heap allocation.
#include <penstock/runtime/timer.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/transports/loopback.h>

#include <boost/test/unit_test.hpp>

#include <malloc.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <new>
#include <optional>
#include <string>
#include <vector>

namespace {

std::size_t allocations = 0;
bool counting = false;
std::atomic<std::size_t> bytesInUse = 0;
int successesLeft = -1;  // Then one allocation fails; -1: none does.

void failWhenItsTurnComes() {
  if (successesLeft >= 0 && successesLeft-- == 0) throw std::bad_alloc();
}

void* counted(void* memory) {
  if (!memory) throw std::bad_alloc();
  bytesInUse += malloc_usable_size(memory);
  return memory;
}

void* allocate(std::size_t size) {
  failWhenItsTurnComes();
  allocations += counting;
  return counted(std::malloc(size > 0 ? size : 1));
}

void* allocate(std::size_t size, std::align_val_t alignment) {
  failWhenItsTurnComes();
  allocations += counting;
  const auto unit = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(unit, (size + unit - 1) / unit * unit));
}

void deallocate(void* memory) noexcept {
  if (memory) bytesInUse -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void* operator new(std::size_t size, std::align_val_t a) { return allocate(size, a); }
void* operator new[](std::size_t size, std::align_val_t a) { return allocate(size, a); }
void operator delete(void* memory) noexcept { deallocate(memory); }
void operator delete[](void* memory) noexcept { deallocate(memory); }
void operator delete(void* memory, std::size_t) noexcept { deallocate(memory); }
void operator delete[](void* memory, std::size_t) noexcept { deallocate(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { deallocate(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { deallocate(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { deallocate(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { deallocate(memory); }

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(allocation_test)

namespace {

constexpr int kWarmUp = 300;
constexpr int kCounted = 1000;

// Counts the allocations of kCounted rounds, after kWarmUp. Call it once in each.
class Rounds {
 public:
  void next() {
    ++count_;
    if (count_ == kWarmUp) allocations = 0;
    counting = count_ >= kWarmUp && count_ < kWarmUp + kCounted;
  }
  bool over() const noexcept { return count_ > kWarmUp + kCounted; }
  ~Rounds() { counting = false; }

 private:
  int count_ = 0;
};

using Send = void (*)(Transport&, const Buffer&);

void writeBytes(Transport& transport, const Buffer& message) { transport.write(message.bytes()); }
void writeBuffer(Transport& transport, const Buffer& message) { transport.write(message); }
void writeParts(Transport& transport, const Buffer& message) {
  const Bytes bytes = message.bytes();
  const std::array<Bytes, 2> parts{bytes.first(bytes.size() / 2), bytes.subspan(bytes.size() / 2)};
  transport.writeSequence(parts);
}

enum class Link { kTcp, kUnix, kLoopback };

void join(ReactorFixture& loop, Link link, Recorder& client, Recorder& server) {
  if (link == Link::kLoopback) {
    loopbackPair(loop.reactor(), client.makeProtocol(), server.makeProtocol());
  } else {
    loop.connect(client, server, link == Link::kTcp ? SocketFamily::kTcp : SocketFamily::kUnix);
  }
}

// Of echoes of `size` bytes, one at a time.
std::size_t allocationsOfEchoes(std::size_t size, Link link = Link::kTcp, Send send = writeBytes) {
  const Buffer message(std::string(size, 'm'));
  Recorder client, server;
  std::size_t arrived = 0;
  Rounds rounds;
  ReactorFixture loop;
  client.keepsData = server.keepsData = false;
  server.onData = [&](Bytes bytes) { server.transport().write(bytes); };
  client.onData = [&](Bytes bytes) {
    arrived += bytes.size();
    if (arrived < size) return;
    arrived = 0;
    rounds.next();
    send(client.transport(), message);
  };
  join(loop, link, client, server);

  send(client.transport(), message);
  loop.runUntil([&] { return rounds.over(); }, "the echoes");

  return allocations;
}

// Of messages that come while the server is paused, and are delivered when it goes on.
std::size_t allocationsOfPauses(std::size_t size) {
  const Buffer message(std::string(size, 'm'));
  Recorder client, server;
  std::size_t arrived = 0;
  Rounds rounds;
  ReactorFixture loop;
  client.keepsData = server.keepsData = false;
  const auto sendToPaused = [&] {
    server.transport().pauseProducing();
    client.transport().write(message);
    loop->callSoon([&] {  // The bytes have left and arrived when the last of these comes.
      loop->callSoon([&] { loop->callSoon([&] { server.transport().resumeProducing(); }); });
    });
  };
  server.onData = [&](Bytes bytes) {
    arrived += bytes.size();
    if (arrived < size) return;
    arrived = 0;
    rounds.next();
    loop->callSoon([&] { sendToPaused(); });
  };
  loop.connect(client, server);

  sendToPaused();
  loop.runUntil([&] { return rounds.over(); }, "the deliveries");

  return allocations;
}

// Writes 20,000 bytes whenever it may: until it is paused, or once for each demand.
class Source final : public Producer {
 public:
  Source(Transport& transport, Production production)
      : transport_(transport), production_(production) {
    transport.registerProducer(*this, production);
    if (production == Production::kStreaming) resumeProducing();
  }
  int asked = 0;

  void pauseProducing() override { paused_ = true; }
  void resumeProducing() override {
    ++asked;
    paused_ = production_ == Production::kPull;
    do {
      transport_.write(asBytes(portion_));
    } while (!paused_);
  }
  void stopProducing() override {}

 private:
  Transport& transport_;
  const Production production_;
  const std::string portion_ = std::string(20'000, 'p');
  bool paused_ = false;
};

// Of a producer, from one demand to the next.
std::size_t allocationsOfProducer(Link link, Production production) {
  Recorder client, server;
  Rounds rounds;
  std::optional<Source> source;
  ReactorFixture loop;
  client.keepsData = server.keepsData = false;
  join(loop, link, client, server);

  source.emplace(client.transport(), production);
  int seen = 0;
  loop.runUntil(
      [&] {
        if (source->asked > seen) rounds.next();
        seen = source->asked;
        return rounds.over();
      },
      "the demands");

  return allocations;
}

struct Echo final : Protocol {
  void connectionMade(Transport& itsTransport) override { transport = &itsTransport; }
  void dataReceived(Bytes bytes) override { transport->write(bytes); }
  void connectionLost(std::error_code) override {}

  Transport* transport = nullptr;
};

// Opens `count` connections, each of which echoes one message of `size` bytes and then is idle.
std::vector<OwnedFd> openIdle(ReactorFixture& loop, std::size_t count, std::size_t size) {
  Listener& listener = loop.listen([] { return std::make_unique<Echo>(); });
  const std::string message(size, 'm');
  std::string echo(size, ' ');
  std::vector<OwnedFd> peers;
  while (peers.size() < count) {
    const OwnedFd& peer = peers.emplace_back(connectRaw(addressOf(listener.descriptor())));
    BOOST_REQUIRE_EQUAL(::send(peer.get(), message.data(), size, MSG_NOSIGNAL), size);
    std::size_t arrived = 0;
    loop.pollUntil(
        [&] {
          const ssize_t got = ::recv(peer.get(), echo.data(), size - arrived, MSG_DONTWAIT);
          if (got > 0) arrived += static_cast<std::size_t>(got);
          return arrived == size;
        },
        "the echo");
  }
  listener.stopListening();
  return peers;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_count_sees_an_allocation) {
  allocations = 0;
  counting = true;
  delete new int(1);
  counting = false;

  BOOST_TEST(allocations == 1U);
}

BOOST_AUTO_TEST_CASE(echoes_of_any_size_allocate_nothing, *precondition(onRealKernel)) {
  for (const Link link : {Link::kTcp, Link::kUnix, Link::kLoopback}) {
    for (const std::size_t size : {64, 8'000, 200'000}) {
      BOOST_TEST_CONTEXT(size << " bytes over link " << static_cast<int>(link)) {
        BOOST_TEST(allocationsOfEchoes(size, link) == 0U);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(all_kinds_of_write_allocate_nothing, *precondition(onRealKernel)) {
  for (const Send send : {writeBuffer, writeParts}) {
    BOOST_TEST(allocationsOfEchoes(64, Link::kTcp, send) == 0U);
    BOOST_TEST(allocationsOfEchoes(20'000, Link::kTcp, send) == 0U);
  }
}

BOOST_AUTO_TEST_CASE(what_comes_while_paused_is_held_without_an_allocation,
                     *precondition(onRealKernel)) {
  for (const std::size_t size : {64, 8'000, 20'000}) {
    BOOST_TEST_CONTEXT(size << " bytes") { BOOST_TEST(allocationsOfPauses(size) == 0U); }
  }
}

BOOST_AUTO_TEST_CASE(producers_that_are_paused_resumed_and_asked_cost_no_allocation,
                     *precondition(onRealKernel)) {
  for (const Link link : {Link::kTcp, Link::kUnix, Link::kLoopback}) {
    for (const Production production : {Production::kStreaming, Production::kPull}) {
      BOOST_TEST_CONTEXT("link " << static_cast<int>(link) << ", production "
                                 << static_cast<int>(production)) {
        BOOST_TEST(allocationsOfProducer(link, production) == 0U);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(calls_of_other_threads_allocate_nothing_once_warm,
                     *precondition(onRealKernel)) {
  Rounds rounds;
  bool taken = true;
  std::function<void()> call;  // The last one runs when the reactor ends.
  ReactorFixture loop;
  call = [&] {
    rounds.next();
    taken = taken && loop->callFromThread([&] { call(); });
  };

  call();
  loop.runUntil([&] { return rounds.over(); }, "the calls");

  BOOST_TEST(taken);
  BOOST_TEST(allocations == 0U);
}

BOOST_AUTO_TEST_CASE(timers_and_calls_allocate_nothing_once_warm, *precondition(onRealKernel)) {
  Rounds rounds;
  ReactorFixture loop;
  std::function<void()> tick = [&] {
    rounds.next();
    DelayedCall never = loop->callLater(std::chrono::hours(1), [] {});
    loop->callSoon([&] { loop->callLater(Duration::zero(), [&] { tick(); }); });
    never.cancel();
  };

  loop->callSoon([&] { tick(); });
  loop.runUntil([&] { return rounds.over(); }, "the ticks");

  BOOST_TEST(allocations == 0U);
}

// All that the library and the protocol allocate for it, with what malloc adds to each.
BOOST_AUTO_TEST_CASE(an_idle_connection_owns_no_buffers, *precondition(onRealKernel)) {
  constexpr std::size_t kConnections = 200;
  constexpr std::size_t kMostBytesEach = 300;
  ReactorFixture loop;
  const std::vector<OwnedFd> first = openIdle(loop, 2, 20'000);  // What all connections share.
  const std::size_t before = bytesInUse;

  const std::vector<OwnedFd> idle = openIdle(loop, kConnections, 20'000);

  BOOST_TEST((bytesInUse - before) / kConnections <= kMostBytesEach);
}

// --- Memory that is short -----------------------------------------------------------------------

namespace {

// Turns the loop some times while the allocation number `n` fails. False: there were not so many.
bool turnsWhileOneFails(ReactorFixture& loop, int n) {
  successesLeft = n;
  for (int turn = 0; turn < 12; ++turn) loop->iterate(std::chrono::microseconds(200));
  const bool failed = successesLeft < 0;
  successesLeft = -1;
  return failed;
}

// Echoes; every other one pauses first and takes up reading by a timed call.
struct PausingEcho final : Protocol {
  explicit PausingEcho(bool itPauses) : pauses(itPauses) {}
  void connectionMade(Transport& itsTransport) override {
    transport = &itsTransport;
    if (!pauses) return;
    resume.emplace(itsTransport.reactor(), [this] { transport->resumeProducing(); });
    transport->pauseProducing();
    resume->arm(std::chrono::milliseconds(1));
  }
  void dataReceived(Bytes bytes) override { transport->write(bytes); }
  void connectionLost(std::error_code) override { resume.reset(); }

  const bool pauses;
  Transport* transport = nullptr;
  std::optional<Timer> resume;
};

}  // namespace

BOOST_AUTO_TEST_CASE(memory_that_is_short_costs_a_connection_and_not_the_loop,
                     *precondition(onRealKernel)) {
  constexpr std::size_t kSize = 20'000;
  const std::string message(kSize, 'm');
  std::string echo(kSize, ' ');
  int made = 0, failures = 0;
  bool short_ = true;
  // Many times each, so that what is lost each time would run out.
  for (int n = 0; short_ && n < 200; ++n) {
    ReactorFixture loop;  // Not warm: everything is allocated anew.
    Listener& listener =
        loop.listen([&] { return std::make_unique<PausingEcho>(++made % 2 == 0); });
    const auto address = addressOf(listener.descriptor());
    for (int again = 0; again < 3; ++again) {
      std::array<OwnedFd, 2> peers;
      for (OwnedFd& peer : peers) {
        peer = connectRaw(address);
        BOOST_REQUIRE_EQUAL(::send(peer.get(), message.data(), kSize, MSG_NOSIGNAL), kSize);
      }

      const bool failed = turnsWhileOneFails(loop, n);

      failures += failed;
      if (again == 0) short_ = failed;
    }
    const OwnedFd peer = connectRaw(address);
    BOOST_REQUIRE_EQUAL(::send(peer.get(), message.data(), kSize, MSG_NOSIGNAL), kSize);
    std::size_t arrived = 0;
    loop.pollUntil(
        [&] {
          const ssize_t got = ::recv(peer.get(), echo.data(), kSize - arrived, MSG_DONTWAIT);
          if (got > 0) arrived += static_cast<std::size_t>(got);
          return arrived == kSize;
        },
        "the echo of a loop that was short of memory");
  }

  BOOST_TEST(failures > 5);
  BOOST_TEST(!short_);
}

BOOST_AUTO_TEST_SUITE_END()
