#include <penstock/bench/micro/allocations.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace penstock::micro {
namespace {

std::atomic<std::uint64_t> allocations{0};
std::atomic<bool> forbiddenSeen{false};

void* allocate(std::size_t size, std::size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  const std::size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

std::uint64_t allocationsSoFar() noexcept { return allocations.load(std::memory_order_relaxed); }
bool allocatedWhereForbidden() noexcept { return forbiddenSeen.load(std::memory_order_relaxed); }

void Allocations::report(benchmark::State& state) const {
  const auto count = static_cast<double>(allocationsSoFar() - before_);
  state.counters["allocations"] = benchmark::Counter(count, benchmark::Counter::kAvgIterations);
}

void Allocations::reportNone(benchmark::State& state) const {
  const bool some = allocationsSoFar() != before_;
  report(state);
  if (!some) return;
  forbiddenSeen.store(true, std::memory_order_relaxed);
  state.SkipWithError("the path of a byte allocates");
}

}  // namespace penstock::micro

namespace micro = penstock::micro;

void* operator new(std::size_t size) { return micro::allocate(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return micro::allocate(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return micro::allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return micro::allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
