// Spinning: work for `compute`, and a server made slower by a known amount, so that it can be seen
// whether that is found.
#pragma once

#include <time.h>

#include <chrono>

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
    if (share_ > 0) pay();
  }

 private:
  static constexpr double kLeastNs = 2000;  // The clock takes a good part of a shorter time.
  // A look at the CPU clock costs as much as a small message; that is to be lost in the rest.
  static constexpr unsigned kCallsPerLook = 64;

  static void pay() {
    owedNs_ += owedByCallNs_;
    if (owedNs_ > kLeastNs) {
      busyFor(owedNs_);
      spunNs_ += owedNs_;
      owedNs_ = 0;
    }
    if (++calls_ % kCallsPerLook == 0) look();
  }

  static void look() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    const double now = static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
    owedByCallNs_ = share_ * (now - lookedAtNs_ - spunNs_) / kCallsPerLook;
    lookedAtNs_ = now;
    spunNs_ = 0;
  }

  static inline double share_ = 0;
  static inline unsigned calls_ = 0;
  static inline double owedByCallNs_ = 0;
  static inline double owedNs_ = 0;
  static inline double spunNs_ = 0;      // Since the last look.
  static inline double lookedAtNs_ = 0;  // By the CPU clock.
};

}  // namespace penstock::compare
