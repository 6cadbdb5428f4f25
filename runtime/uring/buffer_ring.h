// BufferRing: receive buffers that the kernel picks from when data is there.
#pragma once

#include <penstock/runtime/buffer_pool.h>
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

  // The buffers of one completion: the kernel has filled the one named in its `flags`, and behind
  // it in the order of the ring, with `count` bytes. Each must be taken once, in order.
  class Filled {
   public:
    Filled(BufferRing& ring, std::uint32_t cqeFlags, std::size_t count) noexcept;
    ~Filled() { releaseRest(); }
    Filled(const Filled&) = delete;
    Filled& operator=(const Filled&) = delete;

    bool empty() const noexcept { return left_ == 0; }

    // The next buffer with its bytes, holding one reference for the caller to release. Those that
    // lie side by side are still given one by one.
    Block& take(Bytes& bytes) noexcept;

    // Gives back what was not taken: a buffer that is not would be lost to the loop.
    void releaseRest() noexcept {
      Bytes bytes;
      while (!empty()) take(bytes).release();
    }

   private:
    BufferRing& ring_;
    std::uint16_t id_;
    std::size_t left_;
  };

  void blockReleased(Block& block) noexcept override;
  bool mayKeep() const noexcept override { return taken_ <= mostKept_; }

  // How many write buffers may keep at a time; half of them, unless said otherwise here.
  void allowKeeping(std::uint16_t most) noexcept { mostKept_ = most; }

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
  std::vector<Block> blocks_;           // By buffer id.
  std::vector<std::uint16_t> idAfter_;  // By id: the buffer that was provided next.
  std::uint16_t lastProvided_ = 0;
  std::uint16_t tail_ = 0;
  std::uint16_t taken_ = 0;
  std::uint16_t mostKept_;
};

}  // namespace penstock::uring
