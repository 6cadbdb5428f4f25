// TimerQueue: which timer is due next; a 4-ary heap over timers that their owners embed.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/time.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace penstock {

class TimerQueue;

// What a TimerQueue orders. `fire` is called with the entry already out of the queue, so it may
// arm, cancel or destroy it. Neither copied nor moved; cancels itself when destroyed.
class PENSTOCK_API TimerEntry {
 public:
  using Fire = void (*)(TimerEntry& entry);

  explicit TimerEntry(Fire fire) noexcept : fire_(fire) {}
  TimerEntry(const TimerEntry&) = delete;
  TimerEntry& operator=(const TimerEntry&) = delete;
  ~TimerEntry();

  bool active() const noexcept { return queue_ != nullptr; }
  TimePoint deadline() const noexcept { return deadline_; }

 private:
  friend class TimerQueue;

  Fire fire_;
  TimePoint deadline_{};
  std::uint64_t order_ = 0;  // Which was armed first, among equal deadlines.
  TimerQueue* queue_ = nullptr;
  std::size_t position_ = 0;
};

// The deadlines sit in the heap itself, so that sifting reads no timer: arming and cancelling
// touches the end of one array. One loop's thread only. Its own array is all it allocates.
class PENSTOCK_API TimerQueue {
 public:
  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;
  ~TimerQueue();

  // (Re-)arms `entry`. Equal deadlines fire in the order of arming.
  void arm(TimerEntry& entry, TimePoint deadline);

  // Harmless when not active.
  void cancel(TimerEntry& entry) noexcept;

  // When the next timer is due; none if no timer is armed.
  std::optional<TimePoint> nextDeadline() const noexcept;

  // Fires what is due at `now`. What is armed meanwhile waits for the next call, also if its
  // deadline has passed: it counts as `now`, so that it does not stand before what is due.
  void fireDue(TimePoint now);

  std::size_t size() const noexcept { return heap_.size(); }

 private:
  struct Slot {
    TimePoint deadline;
    TimerEntry* entry;
  };

  static bool before(const Slot& a, const Slot& b) noexcept;
  void place(const Slot& slot, std::size_t position) noexcept;
  void siftUp(Slot slot, std::size_t position) noexcept;
  void siftDown(Slot slot, std::size_t position) noexcept;

  std::vector<Slot> heap_;
  std::uint64_t armed_ = 0;
  TimePoint firing_ = TimePoint::min();  // The `now` of fireDue() while that runs.
};

}  // namespace penstock
