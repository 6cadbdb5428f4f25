#include <penstock/runtime/parts/timer_queue.h>

#include <algorithm>
#include <cassert>
#include <utility>

namespace penstock {
namespace {

constexpr std::size_t kArity = 4;  // Half the levels of a binary heap; four slots a cache line.

}  // namespace

TimerEntry::~TimerEntry() {
  if (queue_) queue_->cancel(*this);
}

TimerQueue::~TimerQueue() {
  for (const Slot& slot : heap_) slot.entry->queue_ = nullptr;
}

void TimerQueue::arm(TimerEntry& entry, TimePoint deadline) {
  cancel(entry);
  heap_.emplace_back();  // May throw, before anything has changed.
  entry.deadline_ = deadline;
  entry.order_ = armed_++;
  entry.queue_ = this;
  siftUp({std::max(deadline, firing_), &entry}, heap_.size() - 1);
}

void TimerQueue::cancel(TimerEntry& entry) noexcept {
  if (!entry.queue_) return;
  assert(entry.queue_ == this);
  entry.queue_ = nullptr;
  const std::size_t hole = entry.position_;
  const Slot last = heap_.back();
  heap_.pop_back();
  if (hole == heap_.size()) return;
  if (hole > 0 && before(last, heap_[(hole - 1) / kArity])) {
    siftUp(last, hole);
  } else {
    siftDown(last, hole);
  }
}

std::optional<TimePoint> TimerQueue::nextDeadline() const noexcept {
  if (heap_.empty()) return std::nullopt;
  return heap_.front().deadline;
}

void TimerQueue::fireDue(TimePoint now) {
  const std::uint64_t armedBefore = armed_;
  const TimePoint outer = std::exchange(firing_, now);
  while (!heap_.empty() && heap_.front().deadline <= now) {
    TimerEntry& entry = *heap_.front().entry;
    if (entry.order_ >= armedBefore) break;
    cancel(entry);
    entry.fire_(entry);
  }
  firing_ = outer;
}

bool TimerQueue::before(const Slot& a, const Slot& b) noexcept {
  if (a.deadline != b.deadline) return a.deadline < b.deadline;
  return a.entry->order_ < b.entry->order_;
}

void TimerQueue::place(const Slot& slot, std::size_t position) noexcept {
  heap_[position] = slot;
  slot.entry->position_ = position;
}

void TimerQueue::siftUp(Slot slot, std::size_t position) noexcept {
  while (position > 0) {
    const std::size_t parent = (position - 1) / kArity;
    if (!before(slot, heap_[parent])) break;
    place(heap_[parent], position);
    position = parent;
  }
  place(slot, position);
}

void TimerQueue::siftDown(Slot slot, std::size_t position) noexcept {
  for (;;) {
    const std::size_t first = position * kArity + 1;
    if (first >= heap_.size()) break;
    const std::size_t end = std::min(first + kArity, heap_.size());
    std::size_t least = first;
    for (std::size_t child = first + 1; child < end; ++child) {
      if (before(heap_[child], heap_[least])) least = child;
    }
    if (!before(heap_[least], slot)) break;
    place(heap_[least], position);
    position = least;
  }
  place(slot, position);
}

}  // namespace penstock
