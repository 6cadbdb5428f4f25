#include <penstock/runtime/uring/buffer_ring.h>

#include <sys/mman.h>

namespace penstock::uring {

std::unique_ptr<BufferRing> BufferRing::create(Ring& ring, std::uint16_t group, std::uint16_t count,
                                               std::uint32_t size) {
  std::unique_ptr<BufferRing> buffers(new BufferRing(group, count, size));
  if (!buffers->allocate()) return nullptr;
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uint64_t>(buffers->entries_);
  registration.ring_entries = count;
  registration.bgid = group;
  if (ring.registerBufferRing(registration) < 0) return nullptr;
  for (std::uint16_t id = 0; id < count; ++id) buffers->provide(id);
  return buffers;
}

BufferRing::BufferRing(std::uint16_t group, std::uint16_t count, std::uint32_t size)
    : group_(group), count_(count), size_(size), blocks_(count) {}

BufferRing::~BufferRing() {
  if (entries_) munmap(entries_, count_ * sizeof(io_uring_buf));
  if (memory_) munmap(memory_, std::size_t{count_} * size_);
}

bool BufferRing::allocate() {
  constexpr int kProtection = PROT_READ | PROT_WRITE;
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS;
  void* entries = mmap(nullptr, count_ * sizeof(io_uring_buf), kProtection, kFlags, -1, 0);
  if (entries == MAP_FAILED) return false;
  entries_ = static_cast<io_uring_buf*>(entries);
  void* memory = mmap(nullptr, std::size_t{count_} * size_, kProtection, kFlags, -1, 0);
  if (memory == MAP_FAILED) return false;
  memory_ = static_cast<std::byte*>(memory);
  for (std::uint16_t id = 0; id < count_; ++id) {
    blocks_[id].home = this;
    blocks_[id].data = memory_ + std::size_t{id} * size_;
    blocks_[id].capacity = size_;
  }
  return true;
}

// The entries are addressed as an array of io_uring_buf: as C++ the kernel's header of some
// distributions puts io_uring_buf_ring::bufs 8 bytes off.
void BufferRing::provide(std::uint16_t id) noexcept {
  const std::uint16_t slot = tail_ & (count_ - 1);
  entries_[slot].addr = reinterpret_cast<std::uint64_t>(blocks_[id].data);
  entries_[slot].len = size_;
  entries_[slot].bid = id;
  ++tail_;
  auto* ring = reinterpret_cast<io_uring_buf_ring*>(entries_);
  io_uring_smp_store_release(&ring->tail, tail_);
}

void BufferRing::blockReleased(Block& block) noexcept {
  --taken_;
  provide(static_cast<std::uint16_t>(&block - blocks_.data()));
}

Block& BufferRing::filled(std::uint32_t cqeFlags) noexcept {
  Block& block = blocks_[cqeFlags >> IORING_CQE_BUFFER_SHIFT];
  block.references = 1;
  ++taken_;
  return block;
}

}  // namespace penstock::uring
