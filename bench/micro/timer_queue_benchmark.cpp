// Timers, one and a million of them.
#include <penstock/bench/micro/allocations.h>
#include <penstock/runtime/parts/timer_queue.h>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <random>
#include <vector>

namespace penstock::micro {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kMillion = 1'000'000;

std::int64_t fired = 0;

// So many timers, with deadlines over the next minute in no order.
struct Timers {
  explicit Timers(std::int64_t count) {
    std::mt19937_64 random(1);
    for (std::int64_t i = 0; i < count; ++i) {
      entries.emplace_back([](TimerEntry&) { ++fired; });
      deadlines.emplace_back(Duration(random() % Duration(1min).count()));
    }
  }

  void armAll(TimerQueue& queue) {
    for (std::size_t i = 0; i < entries.size(); ++i) queue.arm(entries[i], deadlines[i]);
  }
  void cancelAll(TimerQueue& queue) {
    for (TimerEntry& entry : entries) queue.cancel(entry);
  }

  std::deque<TimerEntry> entries;
  std::vector<TimePoint> deadlines;
};

void armAndCancelAll(benchmark::State& state) {
  Timers timers(state.range(0));
  TimerQueue queue;
  timers.armAll(queue);
  timers.cancelAll(queue);

  const Allocations allocations;
  for (auto _ : state) {
    timers.armAll(queue);
    timers.cancelAll(queue);
  }
  allocations.reportNone(state);
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void armAndFireAll(benchmark::State& state) {
  Timers timers(state.range(0));
  TimerQueue queue;
  timers.armAll(queue);
  queue.fireDue(TimePoint(1min));

  const Allocations allocations;
  fired = 0;
  for (auto _ : state) {
    timers.armAll(queue);
    queue.fireDue(TimePoint(1min));
  }
  allocations.reportNone(state);
  if (fired != state.iterations() * state.range(0)) state.SkipWithError("timers did not fire");
  state.SetItemsProcessed(fired);
}

// One timer of a message, armed for half a minute and cancelled, while others are pending.
void armAndCancelAmong(benchmark::State& state) {
  Timers others(state.range(0));
  TimerQueue queue;
  others.armAll(queue);
  TimerEntry entry([](TimerEntry&) {});
  queue.arm(entry, TimePoint(30s));
  queue.cancel(entry);

  const Allocations allocations;
  for (auto _ : state) {
    queue.arm(entry, TimePoint(30s));
    queue.cancel(entry);
  }
  allocations.reportNone(state);
}

// A limit on the next message: of many connections, each in turn puts its own off.
void putOffAmong(benchmark::State& state) {
  Timers timers(state.range(0));
  TimerQueue queue;
  TimePoint now{};
  for (TimerEntry& entry : timers.entries) queue.arm(entry, (now += 1us) + 30s);
  auto next = timers.entries.begin();

  const Allocations allocations;
  for (auto _ : state) {
    queue.arm(*next, (now += 1us) + 30s);
    if (++next == timers.entries.end()) next = timers.entries.begin();
  }
  allocations.reportNone(state);
}

BENCHMARK(armAndCancelAll)
    ->Name("timer_queue/arm_and_cancel_all")
    ->Arg(1000)
    ->Arg(kMillion)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(armAndFireAll)
    ->Name("timer_queue/arm_and_fire_all")
    ->Arg(1000)
    ->Arg(kMillion)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(armAndCancelAmong)
    ->Name("timer_queue/arm_and_cancel_one_among")
    ->Arg(0)
    ->Arg(1000)
    ->Arg(kMillion);
BENCHMARK(putOffAmong)->Name("timer_queue/put_off_one_among")->Arg(1000)->Arg(kMillion);

}  // namespace
}  // namespace penstock::micro
