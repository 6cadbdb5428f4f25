// WriteBuffer: a queue of outgoing bytes whose addresses do not change.
#pragma once

#include <penstock/runtime/buffer.h>
#include <penstock/runtime/bytes.h>
#include <penstock/runtime/export.h>
#include <penstock/runtime/parts/buffer_pool.h>

#include <sys/uio.h>

#include <cstddef>
#include <span>

namespace penstock {

// First in, first out. Bytes stay where they are from append() until consume(), so the kernel may
// read them meanwhile, and appending while it does is safe. Empty, it owns no memory but itself.
// The pool is that of its reactor, the same at each call, and must outlive it.
class PENSTOCK_API WriteBuffer {
 public:
  explicit WriteBuffer(BufferPool& pool) noexcept : pool_(pool) {}
  WriteBuffer(const WriteBuffer&) = delete;
  WriteBuffer& operator=(const WriteBuffer&) = delete;
  ~WriteBuffer() { clear(); }

  // Copies `bytes`, or refers to them where the pool is lending the memory they lie in.
  void append(Bytes bytes);

  // Refers to the bytes of `buffer`; copies nothing.
  void append(Buffer buffer);

  // Copies `bytes` whoever is lending.
  void appendCopy(Bytes bytes);

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  // The first run of bytes. Not when empty.
  Bytes front() const noexcept {
    return {first_->begin, static_cast<std::size_t>(first_->end - first_->begin)};
  }

  // Fills `into` with as many runs from the front as it can take, at most `most` bytes of them;
  // returns how many were filled.
  std::size_t gather(std::span<iovec> into, std::size_t most) const noexcept;

  // Adds references to the first `count` bytes, at most size(), to `with`, which is of the same
  // pool: they stay where they are until both have consumed them.
  void share(std::size_t count, WriteBuffer& with) const;

  // The block that the first run lies in; null if it is another's memory. Not when empty.
  Block* frontBlock() const noexcept { return first_->block; }

  // Forgets the first `count` bytes, at most size().
  void consume(std::size_t count) noexcept;

  void clear() noexcept { consume(size_); }

  BufferPool& pool() const noexcept { return pool_; }

 private:
  Segment& addSegment(Block* block, Bytes bytes);
  std::size_t fillTail(Bytes bytes) noexcept;
  void grow(std::size_t count) noexcept {
    size_ += count;
    pool_.queued(count);
  }

  BufferPool& pool_;
  Segment* first_ = nullptr;
  Segment* last_ = nullptr;  // Meaningful when first_ is not null.
  std::size_t size_ = 0;
};

}  // namespace penstock
