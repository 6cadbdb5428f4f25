// Once warm, a message costs no heap allocation.
#define BOOST_TEST_MODULE allocation
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <boost/test/unit_test.hpp>

#include <malloc.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

namespace {

std::size_t allocations = 0;
bool counting = false;
std::atomic<std::size_t> bytesInUse = 0;

void* counted(void* memory) {
  if (!memory) throw std::bad_alloc();
  bytesInUse += malloc_usable_size(memory);
  return memory;
}

void* allocate(std::size_t size) {
  allocations += counting;
  return counted(std::malloc(size > 0 ? size : 1));
}

void* allocate(std::size_t size, std::align_val_t alignment) {
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

namespace {

constexpr int kWarmUp = 300;
constexpr int kCounted = 1000;

// Echoes messages of `size` bytes, one at a time, and counts allocations after the warm-up.
std::size_t allocationsOfEchoes(std::size_t size) {
  const std::string message(size, 'm');
  Recorder client, server;
  std::size_t arrived = 0;
  int echoes = 0;
  ReactorFixture loop;
  client.keepsData = server.keepsData = false;
  server.onData = [&](Bytes bytes) { server.transport().write(bytes); };
  client.onData = [&](Bytes bytes) {
    arrived += bytes.size();
    if (arrived < size) return;
    arrived = 0;
    ++echoes;
    if (echoes == kWarmUp) {
      allocations = 0;
      counting = true;
    }
    if (echoes == kWarmUp + kCounted) counting = false;
    client.transport().write(asBytes(message));
  };
  loop.connect(client, server);

  client.transport().write(asBytes(message));
  loop.runUntil([&] { return echoes > kWarmUp + kCounted; }, "the echoes");

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

BOOST_AUTO_TEST_CASE(small_echoes_allocate_nothing, *precondition(onRealKernel)) {
  BOOST_TEST(allocationsOfEchoes(64) == 0U);
}

BOOST_AUTO_TEST_CASE(echoes_of_some_kilobytes_allocate_nothing, *precondition(onRealKernel)) {
  BOOST_TEST(allocationsOfEchoes(8'000) == 0U);
}

BOOST_AUTO_TEST_CASE(echoes_of_many_reads_allocate_nothing, *precondition(onRealKernel)) {
  BOOST_TEST(allocationsOfEchoes(200'000) == 0U);
}

BOOST_AUTO_TEST_CASE(timers_and_calls_allocate_nothing_once_warm, *precondition(onRealKernel)) {
  ReactorFixture loop;
  int ticks = 0;
  std::function<void()> tick = [&] {
    if (++ticks == kWarmUp) {
      allocations = 0;
      counting = true;
    }
    if (ticks == kWarmUp + kCounted) counting = false;
    DelayedCall never = loop->callLater(std::chrono::hours(1), [] {});
    loop->callSoon([&] { loop->callLater(Duration::zero(), [&] { tick(); }); });
    never.cancel();
  };

  loop->callSoon([&] { tick(); });
  loop.runUntil([&] { return ticks > kWarmUp + kCounted; }, "the ticks");

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
