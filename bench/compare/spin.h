// Spin: makes a server slower by a known amount, so that it can be seen whether that is found.
#pragma once

#include <chrono>
#include <cstddef>

namespace penstock::compare {

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
  // A clock takes a good part of a shorter time; what is spun too long is owed the less.
  static constexpr double kLeastNs = 2000;

  static void pay() {
    using Clock = std::chrono::steady_clock;
    const auto begin = Clock::now();
    double spentNs = 0;
    while (spentNs < owedNs_) {
      spentNs = std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
    }
    owedNs_ -= spentNs;
  }

  static inline double nsPerByte_ = 0;
  static inline double owedNs_ = 0;
};

}  // namespace penstock::compare
