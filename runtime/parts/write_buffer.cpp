#include <penstock/runtime/parts/write_buffer.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <utility>

namespace penstock {

void WriteBuffer::append(Bytes bytes) {
  Block* lender = pool_.lenderOf(bytes);
  if (!lender) return appendCopy(bytes);
  if (first_ && last_->block == lender && last_->end == bytes.data()) {
    last_->end += bytes.size();
    return grow(bytes.size());
  }
  addSegment(lender, bytes);
  lender->retain();
}

void WriteBuffer::append(Buffer buffer) {
  if (buffer.empty()) return;
  const Bytes bytes = buffer.bytes();
  addSegment(nullptr, bytes).owner = std::move(buffer).releaseOwner();
}

void WriteBuffer::appendCopy(Bytes bytes) {
  bytes = bytes.subspan(fillTail(bytes));
  while (!bytes.empty()) {
    Block& block = pool_.takeBlock(bytes.size());
    const Bytes piece = bytes.first(std::min<std::size_t>(bytes.size(), block.capacity));
    std::memcpy(block.data, piece.data(), piece.size());
    try {
      addSegment(&block, {block.data, piece.size()}).appendable = true;
    } catch (const std::bad_alloc&) {
      block.release();
      throw;
    }
    bytes = bytes.subspan(piece.size());
  }
}

std::size_t WriteBuffer::gather(std::span<iovec> into, std::size_t most) const noexcept {
  std::size_t count = 0;
  for (Segment* segment = first_; segment && count < into.size() && most > 0;
       segment = segment->next) {
    const std::size_t length = std::min<std::size_t>(most, segment->end - segment->begin);
    into[count++] = {const_cast<std::byte*>(segment->begin), length};
    most -= length;
  }
  return count;
}

void WriteBuffer::share(std::size_t count, WriteBuffer& with) const {
  assert(count <= size_);
  for (const Segment* segment = first_; count > 0; segment = segment->next) {
    const std::size_t length = std::min<std::size_t>(count, segment->end - segment->begin);
    with.addSegment(segment->block, {segment->begin, length}).owner = segment->owner;
    if (segment->block) segment->block->retain();
    count -= length;
  }
}

void WriteBuffer::consume(std::size_t count) noexcept {
  assert(count <= size_);
  size_ -= count;
  pool_.unqueued(count);
  while (first_) {
    Segment& segment = *first_;
    const std::size_t length = segment.end - segment.begin;
    if (count < length) {
      segment.begin += count;
      return;
    }
    count -= length;
    first_ = segment.next;
    pool_.recycle(segment);
  }
}

Segment& WriteBuffer::addSegment(Block* block, Bytes bytes) {
  Segment& segment = pool_.takeSegment();
  segment.begin = bytes.data();
  segment.end = bytes.data() + bytes.size();
  segment.block = block;
  segment.appendable = false;
  (first_ ? last_->next : first_) = &segment;
  last_ = &segment;
  grow(bytes.size());
  return segment;
}

std::size_t WriteBuffer::fillTail(Bytes bytes) noexcept {
  if (!first_ || !last_->appendable) return 0;
  const std::byte* limit = last_->block->data + last_->block->capacity;
  const auto room = static_cast<std::size_t>(limit - last_->end);
  const std::size_t count = std::min(room, bytes.size());
  if (count > 0) std::memcpy(const_cast<std::byte*>(last_->end), bytes.data(), count);
  last_->end += count;
  grow(count);
  return count;
}

}  // namespace penstock
