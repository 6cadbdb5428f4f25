// The receive buffers of peer-raw-uring: a ring that the kernel takes from, and queues of what
// it filled.
#pragma once

#include "peer.h"

#include <liburing.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace peer {

using BufferId = std::uint16_t;

class Buffers {
 public:
  // Registers `count` buffers of `size` bytes as `group`; there are none before.
  void create(io_uring& ring, std::uint16_t group, std::uint32_t count, std::uint32_t size) {
    group_ = group;
    size_ = size;
    mask_ = static_cast<std::uint16_t>(count - 1);
    length_.resize(count);
    behind_.resize(count);
    providedBehind_.resize(count);
    entries_ = static_cast<io_uring_buf*>(map(count * sizeof(io_uring_buf)));
    memory_ = static_cast<char*>(map(std::size_t{count} * size));
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uint64_t>(entries_);
    registration.ring_entries = count;
    registration.bgid = group;
    const int result = io_uring_register_buf_ring(&ring, &registration, 0);
    if (result < 0) {
      errno = -result;
      check(-1, "io_uring_register_buf_ring");
    }
    for (std::uint32_t id = 0; id < count; ++id) provide(static_cast<BufferId>(id));
    publish();
  }

  std::uint16_t group() const noexcept { return group_; }
  std::uint32_t size() const noexcept { return size_; }
  std::uint32_t available() const noexcept { return available_; }

  // Gives a buffer back, from the next publish() on. The entries are written as an array of
  // io_uring_buf: some distributions' header has io_uring_buf_ring::bufs 8 bytes off in C++.
  void provide(BufferId id) noexcept {
    io_uring_buf& entry = entries_[tail_ & mask_];
    entry.addr = reinterpret_cast<std::uint64_t>(memory_ + std::size_t{id} * size_);
    entry.len = size_;
    entry.bid = id;
    providedBehind_[lastProvided_] = id;
    lastProvided_ = id;
    ++tail_;
    ++available_;
  }

  void publish() noexcept {
    io_uring_smp_store_release(&reinterpret_cast<io_uring_buf_ring*>(entries_)->tail, tail_);
  }

  // Calls `each(id)` for the buffers that a completion of `count` bytes has filled, the one named
  // in its flags and those provided behind it.
  template <class Each>
  void filled(std::uint32_t cqeFlags, std::uint32_t count, Each each) {
    auto id = static_cast<BufferId>(cqeFlags >> IORING_CQE_BUFFER_SHIFT);
    while (count > 0) {
      const BufferId next = providedBehind_[id];
      length_[id] = std::min(count, size_);
      count -= length_[id];
      --available_;
      each(id);
      id = next;
    }
  }

 private:
  friend class Queue;

  static void* map(std::size_t size) {
    void* memory =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) check(-1, "mmap");
    return memory;
  }

  std::uint16_t group_ = 0;
  std::uint16_t mask_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t available_ = 0;
  io_uring_buf* entries_ = nullptr;
  char* memory_ = nullptr;
  std::vector<std::uint32_t> length_;
  std::vector<BufferId> behind_;          // In a Queue.
  std::vector<BufferId> providedBehind_;  // In the ring.
  BufferId lastProvided_ = 0;
  std::uint16_t tail_ = 0;
};

// Filled buffers that wait to be sent, first in, first out.
class Queue {
 public:
  bool empty() const noexcept { return count_ == 0; }

  void add(Buffers& buffers, BufferId id) noexcept {
    (count_++ == 0 ? first_ : buffers.behind_[last_]) = id;
    last_ = id;
  }

  // Fills `runs` from the front, neighbours in memory as one; returns how many.
  unsigned gather(const Buffers& buffers, std::span<iovec> runs) const noexcept {
    unsigned used = 0;
    BufferId id = first_;
    std::size_t skip = sent_;
    for (unsigned i = 0; i < count_; ++i, id = buffers.behind_[id], skip = 0) {
      char* begin = buffers.memory_ + std::size_t{id} * buffers.size_ + skip;
      const std::size_t length = buffers.length_[id] - skip;
      if (used > 0 && begin == end(runs[used - 1])) {
        runs[used - 1].iov_len += length;
      } else if (used < runs.size()) {
        runs[used++] = {begin, length};
      } else {
        break;
      }
    }
    return used;
  }

  // `count` bytes were sent: buffers that are done with go back.
  void sent(Buffers& buffers, std::size_t count) noexcept {
    sent_ += count;
    while (count_ > 0 && sent_ >= buffers.length_[first_]) {
      sent_ -= buffers.length_[first_];
      dropFront(buffers);
    }
  }

  void clear(Buffers& buffers) noexcept {
    while (count_ > 0) dropFront(buffers);
    sent_ = 0;
  }

 private:
  static char* end(const iovec& run) noexcept {
    return static_cast<char*>(run.iov_base) + run.iov_len;
  }

  void dropFront(Buffers& buffers) noexcept {
    const BufferId id = first_;
    first_ = buffers.behind_[id];
    --count_;
    buffers.provide(id);
  }

  BufferId first_ = 0;
  BufferId last_ = 0;
  std::uint16_t count_ = 0;
  std::size_t sent_ = 0;  // Of the first.
};

}  // namespace peer
