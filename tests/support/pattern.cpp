#include <penstock/tests/support/pattern.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <vector>

namespace penstock::testing {
namespace {

// A prime, so that no buffer size of the library divides it and a shift cannot hide.
constexpr std::size_t kPeriod = 1'000'003;

const std::vector<std::byte>& period() {
  static const std::vector<std::byte> bytes = [] {
    std::vector<std::byte> made(kPeriod);
    std::mt19937 random(20240229);
    for (std::byte& byte : made) byte = static_cast<std::byte>(random());
    return made;
  }();
  return bytes;
}

}  // namespace

Bytes patternAt(std::uint64_t at, std::size_t most) {
  const auto begin = static_cast<std::size_t>(at % kPeriod);
  return Bytes(period()).subspan(begin, std::min(most, kPeriod - begin));
}

void PatternCheck::add(Bytes bytes) {
  while (!bytes.empty()) {
    const Bytes expected = patternAt(count_, bytes.size());
    good_ = good_ && std::memcmp(expected.data(), bytes.data(), expected.size()) == 0;
    count_ += expected.size();
    bytes = bytes.subspan(expected.size());
  }
}

}  // namespace penstock::testing
