// BufferGroup: the kernel's side of a ring of provided buffers.
#pragma once

#include <penstock/sim/world.h>

#include <liburing.h>
#include <sys/uio.h>

#include <cstdint>

namespace penstock::sim {

// The library appends buffers at the tail; receives take them at the head, in order.
class BufferGroup {
 public:
  BufferGroup(World& world, const io_uring_buf_reg& registration) noexcept;

  std::uint16_t id() const noexcept { return id_; }
  bool empty() const noexcept { return available() == 0; }

  // The memory of the next buffer. Not when empty.
  iovec next() const noexcept;

  // Takes it; its id.
  std::uint16_t take();

 private:
  std::uint16_t available() const noexcept;
  const io_uring_buf& at(std::uint16_t position) const noexcept;
  void requireOnce(std::uint16_t id) const;

  World& world_;
  io_uring_buf* entries_;
  std::uint16_t mask_;
  std::uint16_t id_;
  std::uint16_t head_ = 0;
};

}  // namespace penstock::sim
