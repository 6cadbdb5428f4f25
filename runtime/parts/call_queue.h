// CallQueue: callbacks for the next turn, from the loop's own thread and from others.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/parts/unique_function.h>

#include <atomic>
#include <cstddef>
#include <mutex>
#include <vector>

namespace penstock {

// First in, first out for each thread that adds. What is added while the calls run waits for the
// next turn. Another thread's call is either queued and run or refused, never lost.
class PENSTOCK_API CallQueue {
 public:
  // How many calls of other threads may wait; the next is refused.
  explicit CallQueue(std::size_t limit) noexcept : limit_(limit) {}

  void add(Callback callback) { own_.push_back(std::move(callback)); }

  // Any thread. What became of the call:
  enum class Added {
    kFirst,    // Queued, and the loop must be woken.
    kQueued,   // Queued behind others; whoever was first wakes the loop.
    kRefused,  // Full, or closed: it will not run.
  };
  // Takes `callback`, unless it is refused, and calls `wake()` if it is the first: before the loop
  // can run it, for it may be the call that ends the loop.
  template <class Wake>
  Added addFromThread(Callback& callback, Wake wake) {
    const std::lock_guard lock(mutex_);
    const Added added = push(callback);
    if (added == Added::kFirst) wake();
    return added;
  }
  Added addFromThread(Callback& callback) {
    return addFromThread(callback, [] {});
  }

  // Refuses calls of other threads from now on. Those queued already run through `run(callback)`
  // before this returns; the loop's own are dropped.
  template <class Run>
  void close(Run run) {
    for (Callback& callback : takeLast()) run(callback);
  }

  bool empty() const noexcept { return own_.empty() && !foreign_.load(std::memory_order_acquire); }

  // Takes all that is queued, runs each through `run(callback)`, and returns how many there were.
  template <class Run>
  std::size_t drain(Run run) {
    collect();
    return runAll(running_, run) + runAll(runningOfOthers_, run);
  }

 private:
  Added push(Callback& callback);
  std::vector<Callback> takeLast();
  void collect() noexcept;

  template <class Run>
  static std::size_t runAll(std::vector<Callback>& calls, Run& run) {
    for (Callback& callback : calls) run(callback);
    const std::size_t count = calls.size();
    calls.clear();
    return count;
  }

  const std::size_t limit_;
  std::vector<Callback> own_;
  std::vector<Callback> running_;
  std::vector<Callback> runningOfOthers_;
  std::atomic<bool> foreign_{false};  // Something waits in fromThreads_.
  std::mutex mutex_;                  // Guards the two below.
  std::vector<Callback> fromThreads_;
  bool closed_ = false;
};

}  // namespace penstock
