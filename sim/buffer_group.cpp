#include <penstock/sim/buffer_group.h>

#include <string>

namespace penstock::sim {

BufferGroup::BufferGroup(World& world, const io_uring_buf_reg& registration) noexcept
    : world_(world),
      entries_(reinterpret_cast<io_uring_buf*>(registration.ring_addr)),
      mask_(static_cast<std::uint16_t>(registration.ring_entries - 1)),
      id_(registration.bgid) {}

// The tail lies over the last field of the first entry.
std::uint16_t BufferGroup::available() const noexcept {
  const std::uint16_t tail = io_uring_smp_load_acquire(&entries_[0].resv);
  return static_cast<std::uint16_t>(tail - head_);
}

const io_uring_buf& BufferGroup::at(std::uint16_t position) const noexcept {
  return entries_[position & mask_];
}

iovec BufferGroup::next() const noexcept {
  const io_uring_buf& buffer = at(head_);
  return {reinterpret_cast<void*>(buffer.addr), buffer.len};
}

std::uint16_t BufferGroup::take() {
  const std::uint16_t id = at(head_++).bid;
  requireOnce(id);
  return id;
}

// A buffer that is used must not wait in the ring a second time.
void BufferGroup::requireOnce(std::uint16_t id) const {
  for (std::uint16_t i = 0; i < available(); ++i) {
    if (at(static_cast<std::uint16_t>(head_ + i)).bid != id) continue;
    world_.violation("receive buffer " + std::to_string(id) + " was provided twice");
  }
}

}  // namespace penstock::sim
