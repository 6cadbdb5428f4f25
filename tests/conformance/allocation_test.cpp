// Once warm, a message costs no heap allocation.
#define BOOST_TEST_MODULE allocation
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <new>
#include <string>

namespace {

std::size_t allocations = 0;
bool counting = false;

void* allocate(std::size_t size) {
  allocations += counting;
  if (void* memory = std::malloc(size > 0 ? size : 1)) return memory;
  throw std::bad_alloc();
}

void* allocate(std::size_t size, std::align_val_t alignment) {
  allocations += counting;
  const auto unit = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void* operator new(std::size_t size, std::align_val_t a) { return allocate(size, a); }
void* operator new[](std::size_t size, std::align_val_t a) { return allocate(size, a); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

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
