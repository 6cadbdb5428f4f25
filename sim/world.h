// World: what all parts of a simulation share: its time, its chance, and what happens later.
#pragma once

#include <penstock/runtime/bytes.h>
#include <penstock/runtime/time.h>
#include <penstock/sim/faults.h>
#include <penstock/sim/orders.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace penstock::sim {

// Time passes in small steps, and in jumps while nothing can happen. The same seed and the same
// calls give the same world.
class World {
 public:
  using Action = std::function<void()>;
  using Violation = std::function<void(const std::string&)>;

  World(std::uint64_t seed, const Faults& faults) : faults_(faults), random_(seed) {}

  Faults& faults() noexcept { return faults_; }
  Orders& orders() noexcept { return orders_; }

  // True with `probability`.
  bool chance(double probability);

  // Any of `least` to `most`, both included.
  std::size_t between(std::size_t least, std::size_t most);

  TimePoint now() const noexcept { return now_; }
  void advanceTo(TimePoint time) noexcept;

  // One step in time, and what is due then.
  void step();
  std::uint64_t steps() const noexcept { return steps_; }

  // Runs `action` after a few steps, or at `time`.
  void soon(Action action);
  void at(TimePoint time, Action action);

  // Whether steps alone will make something happen, and when else something will.
  bool expectsAction() const noexcept { return !soon_.empty(); }
  std::optional<TimePoint> nextAlarm() const;

  // The library has broken the kernel's contract, or used what is not simulated: tells the
  // handler, and without one ends the program.
  void violation(const std::string& what) const;
  void onViolation(Violation handler) { violation_ = std::move(handler); }

  // A violation if AddressSanitizer knows that `bytes` are not there any more.
  void requireAlive(Bytes bytes, const char* use) const;

 private:
  static constexpr Duration kStep = std::chrono::microseconds(1);
  static constexpr std::size_t kMostSteps = 5;

  struct Soon {
    std::uint64_t step;
    Action action;
  };

  std::uint64_t draw() noexcept;
  void runSoon();
  void runAlarms();

  Faults faults_;
  Orders orders_;
  std::uint64_t random_;
  TimePoint now_{std::chrono::hours(1)};
  std::uint64_t steps_ = 0;
  std::vector<Soon> soon_;
  // Most are for what is over long before, so a step must not look at each.
  std::multimap<TimePoint, Action> alarms_;
  Violation violation_;
};

}  // namespace penstock::sim
