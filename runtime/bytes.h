// Bytes: borrowed, read-only memory; MutableBytes: borrowed memory to fill.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace penstock {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

// The same memory seen as bytes, for writing text: transport.write(asBytes("hello\n")).
inline Bytes asBytes(std::string_view text) noexcept {
  return std::as_bytes(std::span<const char>(text.data(), text.size()));
}

// The same memory seen as characters; no check of any encoding is made.
inline std::string_view asText(Bytes bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace penstock
