// Spinning: work for `compute`, and a server made slower by a known amount, so that it can be seen
// whether that is found.
#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>

namespace penstock::compare {

// Keeps the core busy for `timeNs`; while something else has the core does not count.
inline void busyFor(double timeNs) {
  using Clock = std::chrono::steady_clock;
  constexpr double kTakenAwayNs = 5000;
  double doneNs = 0;
  for (auto last = Clock::now(); doneNs < timeNs;) {
    const auto now = Clock::now();
    const double stepNs = std::chrono::duration<double, std::nano>(now - last).count();
    if (stepNs < kTakenAwayNs) doneNs += stepNs;
    last = now;
  }
}

// One for a process; its loop thread only. At first it does nothing.
class Spin {
 public:
  // From now on each unit costs `share` more than it does, whatever that is at the time.
  static void slowDown(double share) noexcept { share_ = share; }

  // Services call it for whatever they handle.
  static void spend() {
    if (share_ > 0 && ++calls_ % kCallsPerLook == 0) pay();
  }

 private:
  // A look at the clock costs as much as a small message; its own cost is to be lost in the rest.
  static constexpr unsigned kCallsPerLook = 64;

  static void pay() {
    const std::int64_t begin = usedNs();
    owedNs_ += share_ * static_cast<double>(begin - paidAtNs_);
    busyFor(owedNs_);
    paidAtNs_ = usedNs();
    owedNs_ -= static_cast<double>(paidAtNs_ - begin);
  }

  static std::int64_t usedNs() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
  }

  static inline double share_ = 0;
  static inline unsigned calls_ = 0;
  static inline std::int64_t paidAtNs_ = 0;
  static inline double owedNs_ = 0;  // Below 0: it was spun too long.
};

}  // namespace penstock::compare
