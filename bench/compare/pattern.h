// Pattern: an endless stream of bytes of which any part can be made, and checked, at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock::compare {

// The byte at position i of the stream is a function of i mod period(). Immutable.
class Pattern {
 public:
  // Bytes that look random, with a prime period: what is lost, doubled, swapped or stale shows.
  static const Pattern& scrambled();

  // Byte i is i mod 251: what the workload source sends.
  static const Pattern& counting();

  // The most that one call of at() or matches() covers.
  static constexpr std::size_t kChunk = 256 * 1024;

  // The stream from `position` on, for up to kChunk bytes.
  const std::byte* at(std::uint64_t position) const noexcept {
    return bytes_.data() + position % period_;
  }

  // Whether `count` <= kChunk bytes at `bytes` are those of the stream from `position` on.
  bool matches(std::uint64_t position, const std::byte* bytes, std::size_t count) const noexcept;

  // How many of them are not.
  std::uint64_t differing(std::uint64_t position, const std::byte* bytes,
                          std::size_t count) const noexcept;

  std::size_t period() const noexcept { return period_; }

 private:
  template <class ByteAt>
  Pattern(std::size_t period, ByteAt byteAt);

  std::size_t period_;
  std::vector<std::byte> bytes_;
};

}  // namespace penstock::compare
