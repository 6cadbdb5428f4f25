#include <penstock/tests/support/simulated_pipe.h>

#include <algorithm>
#include <cstring>

namespace penstock::simulated {

std::size_t Pipe::space() const noexcept {
  return stalled_ || stored() >= capacity_ ? 0 : capacity_ - stored();
}

std::size_t Pipe::put(Bytes bytes) {
  const std::size_t count = std::min(bytes.size(), space());
  if (count < bytes.size()) writerWaits_ = true;
  if (count == 0) return 0;
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
  if (delivering_) return count;
  if (world_.chance(world_.faults().delay)) {
    deliverLater();
  } else {
    deliver();
  }
  return count;
}

bool Pipe::offersSpace() noexcept {
  if (!writable()) writerWaits_ = true;
  return writable();
}

void Pipe::end() {
  ending_ = true;
  if (delivering_) return;
  if (onWire() > 0 || world_.chance(world_.faults().delay)) {
    deliverLater();
  } else {
    deliver();
  }
}

void Pipe::stall() {
  stalled_ = writerWaits_ = true;
  world_.soon([self = shared_from_this()] {
    self->stalled_ = false;
    self->tellWriter();
  });
}

void Pipe::deliverLater() {
  if (delivering_) return;
  delivering_ = true;
  world_.soon([self = shared_from_this()] {
    self->delivering_ = false;
    self->deliver();
  });
}

void Pipe::deliver() {
  const std::size_t count = onWire();
  const bool partly = count > 1 && world_.chance(world_.faults().shortRead);
  if (!partly) return hurry();
  deliverLater();
  arrive(world_.between(1, count - 1));
}

void Pipe::hurry() {
  ended_ = ending_;
  arrive(onWire());
}

void Pipe::arrive(std::size_t count) {
  arrived_ += count;
  if (reader && (count > 0 || ended_)) reader->bytesArrived();
}

bool Pipe::withdraw() {
  if (arrived_ == 0 || ended_) return false;
  arrived_ = 0;
  deliverLater();
  return true;
}

std::size_t Pipe::take(MutableBytes into, bool peek) {
  const std::size_t count = std::min(into.size(), arrived_);
  if (count > 0) std::memcpy(into.data(), bytes_.data() + head_, count);
  if (peek) return count;
  head_ += count;
  arrived_ -= count;
  compact();
  tellWriter();
  return count;
}

void Pipe::compact() {
  if (head_ == bytes_.size()) {
    bytes_.clear();
    head_ = 0;
  } else if (head_ >= kCapacity) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void Pipe::discard() noexcept {
  bytes_.clear();
  head_ = arrived_ = 0;
}

void Pipe::tellWriter() {
  if (!writerWaits_ || !writable()) return;
  writerWaits_ = false;
  if (writer) writer->spaceFreed();
}

}  // namespace penstock::simulated
