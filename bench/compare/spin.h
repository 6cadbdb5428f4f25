// Spin: makes a server slower by a known amount, so that it can be seen whether that is found.
#pragma once

#include <chrono>
#include <cstddef>

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
  static void slowDown(double nsPerByte) noexcept { nsPerByte_ = nsPerByte; }

  // Services call it for each byte that they handle.
  static void spend(std::size_t bytes) {
    if (nsPerByte_ <= 0) return;
    owedNs_ += nsPerByte_ * static_cast<double>(bytes);
    if (owedNs_ > kLeastNs) pay();
  }

 private:
  // A clock takes a good part of a shorter time.
  static constexpr double kLeastNs = 2000;

  static void pay() {
    busyFor(owedNs_);
    owedNs_ = 0;
  }

  static inline double nsPerByte_ = 0;
  static inline double owedNs_ = 0;
};

}  // namespace penstock::compare
