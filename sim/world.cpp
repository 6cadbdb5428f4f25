#include <penstock/sim/address_sanitizer.h>
#include <penstock/sim/world.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace penstock::sim {

// splitmix64.
std::uint64_t World::draw() noexcept {
  random_ += 0x9e3779b97f4a7c15;
  std::uint64_t value = random_;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

bool World::chance(double probability) {
  if (probability <= 0) return false;
  return static_cast<double>(draw() >> 11) * 0x1.0p-53 < probability;
}

std::size_t World::between(std::size_t least, std::size_t most) {
  return least + draw() % (most - least + 1);
}

void World::advanceTo(TimePoint time) noexcept { now_ = std::max(now_, time); }

void World::step() {
  ++steps_;
  now_ += kStep;
  runAlarms();
  runSoon();
}

void World::soon(Action action) {
  soon_.push_back({steps_ + between(1, kMostSteps), std::move(action)});
}

void World::at(TimePoint time, Action action) { alarms_.emplace(time, std::move(action)); }

std::optional<TimePoint> World::nextAlarm() const {
  if (alarms_.empty()) return std::nullopt;
  return alarms_.begin()->first;
}

// What an action puts off is for a later step.
void World::runSoon() {
  std::vector<Soon> all;
  all.swap(soon_);
  std::vector<Action> due;
  for (Soon& entry : all) {
    if (entry.step > steps_) {
      soon_.push_back(std::move(entry));
    } else {
      due.push_back(std::move(entry.action));
    }
  }
  for (Action& action : due) action();
}

void World::runAlarms() {
  while (!alarms_.empty() && alarms_.begin()->first <= now_) {
    const auto alarm = alarms_.extract(alarms_.begin());
    alarm.mapped()();
  }
}

void World::violation(const std::string& what) const {
  if (violation_) return violation_(what);
  std::fprintf(stderr, "simulated kernel: %s\n", what.c_str());
  std::abort();
}

void World::requireAlive([[maybe_unused]] Bytes bytes, [[maybe_unused]] const char* use) const {
#ifdef PENSTOCK_ADDRESS_SANITIZER
  void* begin = const_cast<std::byte*>(bytes.data());
  if (__asan_region_is_poisoned(begin, bytes.size())) {
    violation(std::string("the memory of ") + use + " was freed while the kernel had it");
  }
#endif
}

}  // namespace penstock::sim
