#include <penstock/sim/channel.h>

#include <algorithm>
#include <cstring>

namespace penstock::sim {

std::size_t Channel::space() const noexcept { return std::min(room(), window_); }

std::size_t Channel::room() const noexcept {
  return stalled_ || stored() >= capacity_ ? 0 : capacity_ - stored();
}

void Channel::setWindow(std::size_t bytes) {
  window_ = bytes;
  tellWriter();
}

std::size_t Channel::put(Bytes bytes) {
  const std::size_t count = std::min(bytes.size(), space());
  if (count < bytes.size()) writerWaits_ = true;
  if (count == 0) return 0;
  if (window_ != SIZE_MAX) window_ -= count;
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
  if (delivering_) return count;
  if (world_.chance(world_.faults().delay)) {
    deliverLater();
  } else {
    deliver();
  }
  return count;
}

bool Channel::offersSpace() noexcept {
  if (!writable()) writerWaits_ = true;
  return writable();
}

void Channel::end() {
  ending_ = true;
  if (delivering_) return;
  if (onWire() > 0 || world_.chance(world_.faults().delay)) {
    deliverLater();
  } else {
    deliver();
  }
}

void Channel::stall() {
  stalled_ = writerWaits_ = true;
  world_.soon([self = shared_from_this()] {
    self->stalled_ = false;
    self->tellWriter();
  });
}

void Channel::deliverLater() {
  if (delivering_) return;
  delivering_ = true;
  const auto due = [self = shared_from_this()] {
    self->delivering_ = false;
    self->deliver();
  };
  if (isHeld()) {
    world_.at(heldUntil_, due);
  } else {
    world_.soon(due);
  }
}

void Channel::deliver() {
  if (isHeld()) return deliverLater();
  const std::size_t count = onWire();
  const bool partly = count > 1 && world_.chance(world_.faults().shortRead);
  if (!partly) return hurry();
  deliverLater();
  arrive(world_.between(1, count - 1));
}

void Channel::hurry() {
  ended_ = ending_;
  arrive(onWire());
}

void Channel::arrive(std::size_t count) {
  arrived_ += count;
  if (reader && (count > 0 || ended_)) reader->bytesArrived();
}

bool Channel::withdraw(std::size_t kept) {
  if (arrived_ <= kept || ended_) return false;
  arrived_ = kept;
  deliverLater();
  return true;
}

std::size_t Channel::take(MutableBytes into, bool peek) {
  const std::size_t count = std::min(into.size(), arrived_);
  if (count > 0) std::memcpy(into.data(), bytes_.data() + head_, count);
  if (peek) return count;
  head_ += count;
  arrived_ -= count;
  compact();
  tellWriter();
  return count;
}

void Channel::compact() {
  if (head_ == bytes_.size()) {
    bytes_.clear();
    head_ = 0;
  } else if (head_ >= kCapacity) {
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
    head_ = 0;
  }
}

void Channel::discard() noexcept {
  bytes_.clear();
  head_ = arrived_ = 0;
}

void Channel::tellWriter() {
  if (!writerWaits_ || !writable()) return;
  writerWaits_ = false;
  if (writer) writer->spaceFreed();
}

}  // namespace penstock::sim
