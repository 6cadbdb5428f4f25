// Channel: one direction of a simulated connection.
#pragma once

#include <penstock/sim/world.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace penstock::sim {

// Who hears of what happens in a pipe.
class ChannelEnd {
 public:
  virtual void bytesArrived() = 0;  // Or the end.
  virtual void spaceFreed() = 0;    // After a put() that found too little.

 protected:
  ~ChannelEnd() = default;
};

// Bytes wait on the wire first, and then where the reader can take them. The capacity bounds both
// together. The end of the stream travels behind the bytes.
class Channel final : public std::enable_shared_from_this<Channel> {
 public:
  explicit Channel(World& world) : world_(world) {}

  // Takes what there is room for.
  std::size_t put(Bytes bytes);
  std::size_t space() const noexcept;
  bool writable() const noexcept { return window_ > 0 && room() >= capacity_ / 3; }  // As in TCP.

  // Whether it is writable(). If not the writer hears when it is, as after asking the kernel.
  bool offersSpace() noexcept;
  void setCapacity(std::size_t bytes) noexcept { capacity_ = bytes; }

  // How much more is taken, whatever the capacity; each byte uses it up. SIZE_MAX: no limit.
  void setWindow(std::size_t bytes);
  void end();

  // For a while nothing more is taken.
  void stall();

  std::size_t take(MutableBytes into, bool peek);
  std::size_t readable() const noexcept { return arrived_; }
  bool ended() const noexcept { return ended_; }
  bool empty() const noexcept { return stored() == 0; }

  // Puts what has arrived beyond `kept` bytes back on the wire, as if the reader had come too
  // early. False: there is nothing to put back, or the end was seen already.
  bool withdraw(std::size_t kept = 0);

  // Nothing more arrives until `delay` is over.
  void hold(Duration delay) noexcept { heldUntil_ = later(world_.now(), delay); }

  // What is on the wire arrives now; the end too, if it is due.
  void hurry();

  void discard() noexcept;

  ChannelEnd* reader = nullptr;
  ChannelEnd* writer = nullptr;

 private:
  static constexpr std::size_t kCapacity = 128 * 1024;

  std::size_t stored() const noexcept { return bytes_.size() - head_; }
  std::size_t onWire() const noexcept { return stored() - arrived_; }
  bool isHeld() const noexcept { return world_.now() < heldUntil_; }
  std::size_t room() const noexcept;
  void deliverLater();
  void deliver();
  void arrive(std::size_t count);
  void compact();
  void tellWriter();

  World& world_;
  std::vector<std::byte> bytes_;
  std::size_t head_ = 0;
  std::size_t arrived_ = 0;
  std::size_t capacity_ = kCapacity;
  std::size_t window_ = SIZE_MAX;
  TimePoint heldUntil_{};
  bool delivering_ = false;  // A delivery is on the agenda.
  bool ending_ = false;
  bool ended_ = false;
  bool stalled_ = false;
  bool writerWaits_ = false;
};

}  // namespace penstock::sim
