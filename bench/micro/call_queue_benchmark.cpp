// Calls for the loop, from its own thread and from others.
#include <penstock/bench/micro/allocations.h>
#include <penstock/runtime/parts/call_queue.h>

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace penstock::micro {
namespace {

constexpr int kCalls = 1000;

void run(Callback& callback) { callback(); }

void fromOwnThread(benchmark::State& state) {
  CallQueue queue(1);
  std::int64_t ran = 0;
  const auto turn = [&] {
    for (int i = 0; i < kCalls; ++i) queue.add([&ran] { ++ran; });
    queue.drain(run);
  };
  turn();
  turn();

  const Allocations allocations;
  for (auto _ : state) turn();
  allocations.reportNone(state);
  state.SetItemsProcessed(state.iterations() * kCalls);
}

// Other threads add as fast as they can; the loop's thread runs what is there. One iteration is
// at least kCalls calls.
void fromOtherThreads(benchmark::State& state) {
  CallQueue queue(kCalls);
  std::int64_t ran = 0;
  std::atomic<bool> stop{false};
  const auto add = [&] {
    while (!stop.load(std::memory_order_relaxed)) {
      Callback callback = [&ran] { ++ran; };
      while (queue.addFromThread(callback) == CallQueue::Added::kRefused && !stop) {
        std::this_thread::yield();
      }
    }
  };
  std::vector<std::thread> threads;
  for (std::int64_t i = 0; i < state.range(0); ++i) threads.emplace_back(add);
  while (ran < 10 * kCalls) queue.drain(run);

  const Allocations allocations;
  const std::int64_t before = ran;
  for (auto _ : state) {
    const std::int64_t goal = ran + kCalls;
    while (ran < goal) queue.drain(run);
  }
  allocations.report(state);
  state.SetItemsProcessed(ran - before);
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

BENCHMARK(fromOwnThread)->Name("call_queue/own_thread");
BENCHMARK(fromOtherThreads)
    ->Name("call_queue/other_threads")
    ->Arg(1)
    ->Arg(4)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace penstock::micro
