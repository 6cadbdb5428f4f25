#include <penstock/tests/traces/pattern.h>

#include <cassert>
#include <cstring>
#include <vector>

namespace penstock::traces {
namespace {

constexpr std::size_t kPeriod = 251;
constexpr std::size_t kMost = 4 << 20;

std::vector<std::byte> makePattern() {
  std::vector<std::byte> bytes(kMost + kPeriod);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = std::byte(i % kPeriod);
  return bytes;
}

}  // namespace

Bytes patternAt(std::size_t offset, std::size_t count) {
  static const std::vector<std::byte> pattern = makePattern();
  assert(count <= kMost);
  return Bytes(pattern).subspan(offset % kPeriod, count);
}

bool isPattern(Bytes bytes, std::size_t offset) {
  if (bytes.empty()) return true;
  return std::memcmp(bytes.data(), patternAt(offset, bytes.size()).data(), bytes.size()) == 0;
}

}  // namespace penstock::traces
