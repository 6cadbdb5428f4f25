#include <penstock/bench/compare/pattern.h>

#include <cstring>

namespace penstock::compare {

template <class ByteAt>
Pattern::Pattern(std::size_t period, ByteAt byteAt) : period_(period), bytes_(period + kChunk) {
  for (std::size_t i = 0; i < bytes_.size(); ++i) bytes_[i] = std::byte(byteAt(i % period));
}

const Pattern& Pattern::scrambled() {
  constexpr std::size_t kPeriod = 65521;  // The largest prime under 64 KiB.
  static const Pattern pattern(kPeriod, [](std::size_t i) {
    std::uint64_t bits = (i + 1) * 0x9E3779B97F4A7C15U;  // The mixing step of SplitMix64.
    bits = (bits ^ (bits >> 30)) * 0xBF58476D1CE4E5B9U;
    return static_cast<unsigned char>(bits >> 56);
  });
  return pattern;
}

const Pattern& Pattern::counting() {
  constexpr std::size_t kPeriod = 251;
  static const Pattern pattern(kPeriod,
                               [](std::size_t i) { return static_cast<unsigned char>(i); });
  return pattern;
}

bool Pattern::matches(std::uint64_t position, const std::byte* bytes,
                      std::size_t count) const noexcept {
  return std::memcmp(at(position), bytes, count) == 0;
}

std::uint64_t Pattern::differing(std::uint64_t position, const std::byte* bytes,
                                 std::size_t count) const noexcept {
  const std::byte* const expected = at(position);
  std::uint64_t found = 0;
  for (std::size_t i = 0; i < count; ++i) found += expected[i] != bytes[i];
  return found;
}

}  // namespace penstock::compare
