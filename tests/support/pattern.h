// Bytes that can be told apart by where they stand, to check gigabytes without keeping them.
#pragma once

#include <penstock/runtime/bytes.h>

#include <cstddef>
#include <cstdint>

namespace penstock::testing {

// The bytes of an endless pseudo-random stream, from position `at` on, at most `most` of them and
// at least one. Valid for the life of the program.
Bytes patternAt(std::uint64_t at, std::size_t most);

// Checks bytes that arrive in pieces of any size against the stream.
class PatternCheck {
 public:
  void add(Bytes bytes);

  std::uint64_t count() const noexcept { return count_; }
  bool good() const noexcept { return good_; }  // All so far stood where they belong.

 private:
  std::uint64_t count_ = 0;
  bool good_ = true;
};

}  // namespace penstock::testing
