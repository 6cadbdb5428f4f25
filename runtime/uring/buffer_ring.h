// BufferRing: receive buffers that the kernel picks from when data is there.
#pragma once

#include <penstock/runtime/parts/buffer_pool.h>
#include <penstock/runtime/uring/ring.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace penstock::uring {

// A group of equal buffers, shared by all connections of a loop, so that an idle connection holds
// none. A buffer goes back to the kernel when its last reference is released.
class BufferRing final : public BlockHome {
 public:
  // Registers `count` (a power of two) buffers of `size` bytes as `group`. Null where the kernel
  // refuses.
  static std::unique_ptr<BufferRing> create(Ring& ring, std::uint16_t group, std::uint16_t count,
                                            std::uint32_t size);
  ~BufferRing();

  std::uint16_t group() const noexcept { return group_; }

  // The buffer that a completion with these `flags` names as filled, with one reference for the
  // caller to release.
  Block& filled(std::uint32_t cqeFlags) noexcept;

  void blockReleased(Block& block) noexcept override;
  bool mayKeep() const noexcept override { return taken_ <= count_ / 2; }

  // Whether a receive may find one.
  bool anyWithKernel() const noexcept { return taken_ < count_; }

  // How many are not with the kernel.
  std::uint16_t taken() const noexcept { return taken_; }

 private:
  BufferRing(std::uint16_t group, std::uint16_t count, std::uint32_t size);
  bool allocate();
  void provide(std::uint16_t id) noexcept;

  const std::uint16_t group_;
  const std::uint16_t count_;
  const std::uint32_t size_;
  io_uring_buf* entries_ = nullptr;  // Shared with the kernel; the tail lies in the first.
  std::byte* memory_ = nullptr;
  std::vector<Block> blocks_;  // By buffer id.
  std::uint16_t tail_ = 0;
  std::uint16_t taken_ = 0;
};

}  // namespace penstock::uring
