// Buffer: bytes that are handed over instead of copied.
#pragma once

#include <penstock/runtime/bytes.h>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace penstock {

// Shared ownership of memory that nobody changes any more, for Consumer::write(Buffer). Copying
// a Buffer shares the memory: one Buffer can be written to a thousand transports. The memory
// lives until the last copy is gone and the kernel has done with it. Any thread.
class Buffer {
 public:
  Buffer() noexcept = default;

  // Takes the contents over. One allocation, for the shared owner.
  explicit Buffer(std::string text)
      : Buffer(std::make_shared<const std::string>(std::move(text))) {}
  explicit Buffer(std::vector<std::byte> bytes)
      : Buffer(std::make_shared<const std::vector<std::byte>>(std::move(bytes))) {}

  // `bytes` stays valid as long as `owner` is held by anyone.
  Buffer(std::shared_ptr<const void> owner, Bytes bytes) noexcept
      : owner_(std::move(owner)), bytes_(bytes) {}

  // Memory that lives as long as the program: literals, tables, mappings that are never undone.
  static Buffer ofStatic(Bytes bytes) noexcept { return Buffer(nullptr, bytes); }

  Bytes bytes() const noexcept { return bytes_; }
  std::size_t size() const noexcept { return bytes_.size(); }
  bool empty() const noexcept { return bytes_.empty(); }

  // A part of the same memory. `offset + count` must lie within size().
  Buffer slice(std::size_t offset, std::size_t count) const {
    return Buffer(owner_, bytes_.subspan(offset, count));
  }

  std::shared_ptr<const void> releaseOwner() && noexcept { return std::move(owner_); }

 private:
  template <class Container>
  explicit Buffer(std::shared_ptr<const Container> container) noexcept
      : owner_(container), bytes_(std::as_bytes(std::span(container->data(), container->size()))) {}

  std::shared_ptr<const void> owner_;
  Bytes bytes_;
};

}  // namespace penstock
