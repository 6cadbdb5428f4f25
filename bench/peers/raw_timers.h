// The timers of the hand-written loops: all wait equally long, so that a list is in order.
#pragma once

#include "peer.h"

#include <algorithm>
#include <chrono>
#include <optional>

namespace peer {

class Timers;

// What is timed derives from it. Arming and cancelling is a matter of four pointers.
class Timer {
 public:
  Timer() = default;
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  void cancel() noexcept {
    if (!next_) return;
    previous_->next_ = next_;
    next_->previous_ = previous_;
    next_ = previous_ = nullptr;
  }

 private:
  friend class Timers;
  Timer* next_ = nullptr;
  Timer* previous_ = nullptr;
  std::chrono::steady_clock::time_point deadline_;
};

class Timers {
 public:
  using Clock = std::chrono::steady_clock;

  Timers() noexcept { head_.next_ = head_.previous_ = &head_; }
  ~Timers() { head_.next_ = head_.previous_ = nullptr; }

  // One look at the clock for all that is armed in a turn.
  void startTurn() noexcept { now_ = Clock::now(); }

  void arm(Timer& timer) noexcept {
    timer.cancel();
    timer.deadline_ = now_ + kPatience;
    timer.previous_ = head_.previous_;
    timer.next_ = &head_;
    head_.previous_->next_ = &timer;
    head_.previous_ = &timer;
  }

  // How long the loop may wait; none: no timer is armed.
  std::optional<std::chrono::nanoseconds> wait() const noexcept {
    if (head_.next_ == &head_) return std::nullopt;
    return std::max(std::chrono::nanoseconds::zero(),
                    std::chrono::nanoseconds(head_.next_->deadline_ - now_));
  }

  // The next timer whose time is over, cancelled; null if there is none.
  Timer* takeDue() noexcept {
    Timer* first = head_.next_;
    if (first == &head_ || first->deadline_ > now_) return nullptr;
    first->cancel();
    return first;
  }

 private:
  Timer head_;
  Clock::time_point now_;
};

}  // namespace peer
