#include <penstock/runtime/parts/call_queue.h>

#include <utility>

namespace penstock {

CallQueue::Added CallQueue::push(Callback& callback) {
  if (closed_ || fromThreads_.size() >= limit_) return Added::kRefused;
  fromThreads_.push_back(std::move(callback));
  const bool wasEmpty = !foreign_.exchange(true, std::memory_order_release);
  return wasEmpty ? Added::kFirst : Added::kQueued;
}

std::vector<Callback> CallQueue::takeLast() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  foreign_.store(false, std::memory_order_relaxed);
  return std::move(fromThreads_);
}

// Swapping allocates nothing, so that no shortage of memory can lose a call here.
void CallQueue::collect() noexcept {
  running_.swap(own_);
  if (!foreign_.load(std::memory_order_acquire)) return;
  const std::lock_guard lock(mutex_);
  foreign_.store(false, std::memory_order_relaxed);
  runningOfOthers_.swap(fromThreads_);
}

}  // namespace penstock
