// ZeroCopyThreshold: from how many bytes on a connection's sends start out without a copy.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace penstock::uring {

// Learned from the kernel's reports. A power of two, of which the logarithm is kept.
class ZeroCopyThreshold {
 public:
  // 0: none does, ever.
  explicit ZeroCopyThreshold(std::size_t bytes) noexcept
      : logarithm_(bytes == 0 ? kNever : static_cast<std::uint8_t>(std::bit_width(bytes - 1))) {}

  bool isReachedBy(std::size_t bytes) const noexcept { return bytes >> logarithm_ != 0; }

  // Where the bytes were copied after all, as to this very machine, it must be worth more next
  // time. `most`: the most that one send has.
  void learn(bool copied, std::size_t most) noexcept {
    if (logarithm_ == kNever) return;
    if (!copied) {
      if (logarithm_ > kLeast) --logarithm_;
    } else if (std::size_t{1} << ++logarithm_ > most) {
      giveUp();
    }
  }

  void giveUp() noexcept { logarithm_ = kNever; }

 private:
  static constexpr std::uint8_t kLeast = 14;  // 16 KiB.
  static constexpr std::uint8_t kNever = 63;  // More than there ever is.

  std::uint8_t logarithm_;
};

}  // namespace penstock::uring
