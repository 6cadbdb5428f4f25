// ReceiveBlocks: memory to receive into, shared by the connections of a loop.
#pragma once

#include <penstock/runtime/parts/buffer_pool.h>

#include <cstddef>
#include <cstdint>
#include <new>

namespace penstock {

// Blocks that are in use beyond these limits are not lent to write buffers any more: 4 and 2 MiB.
// Of the bulk ones this leaves one in use, which stays in the cache.
class ReceiveBlocks {
 public:
  // Bulk reads get more memory, as long as what they bring may be lent: copying so much for each
  // peer that does not read would hold far more than the mark. With one reference; null: no memory.
  Block* take(bool bulk) noexcept {
    try {
      return &(bulk && mayTakeBulk() ? bulk_ : usual_).take();
    } catch (const std::bad_alloc&) {
      return nullptr;
    }
  }

  bool mayTakeBulk() const noexcept { return bulk_.used() + 1 < kBulkBlocks; }

  std::size_t used() const noexcept { return usual_.used() + bulk_.used(); }
  std::size_t allocatedBytes() const noexcept {
    return usual_.allocatedBytes() + bulk_.allocatedBytes();
  }

 private:
  static constexpr std::uint32_t kUsualRead = 65536;
  static constexpr std::size_t kUsualBlocks = 64;
  static constexpr std::uint32_t kBulkRead = 1 << 20;
  static constexpr std::size_t kBulkBlocks = 2;

  BlockPool usual_{kUsualRead, kUsualBlocks};
  BlockPool bulk_{kBulkRead, kBulkBlocks};
};

}  // namespace penstock
