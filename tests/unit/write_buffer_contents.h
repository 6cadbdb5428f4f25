// What write buffers are filled with in tests, and how their contents are looked at.
#pragma once

#include <penstock/runtime/parts/write_buffer.h>

#include <cstddef>
#include <random>
#include <string>
#include <vector>

namespace penstock::testing {

inline constexpr std::size_t kAll = static_cast<std::size_t>(-1);
inline constexpr std::size_t kBorrowAtLeast = BufferPool::kBorrowAtLeast;

inline std::vector<std::byte> randomBytes(std::mt19937_64& random, std::size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

inline std::vector<std::byte> someBytes(std::size_t count) {
  std::mt19937_64 random(count);
  return randomBytes(random, count);
}

inline std::vector<iovec> runsOf(const WriteBuffer& buffer, std::size_t most = kAll,
                                 std::size_t runs = 4096) {
  std::vector<iovec> found(runs);
  found.resize(buffer.gather(found, most));
  return found;
}

inline std::string textOf(const std::vector<iovec>& runs) {
  std::string text;
  for (const iovec& run : runs) text.append(static_cast<const char*>(run.iov_base), run.iov_len);
  return text;
}

inline std::string textOf(const WriteBuffer& buffer) { return textOf(runsOf(buffer)); }
inline std::string textOf(Bytes bytes) { return std::string(asText(bytes)); }

}  // namespace penstock::testing
