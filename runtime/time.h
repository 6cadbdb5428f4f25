// The one clock of the runtime: CLOCK_MONOTONIC, in nanoseconds.
#pragma once

#include <chrono>

namespace penstock {

using Clock = std::chrono::steady_clock;  // It stands still while the machine is suspended.
using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<Clock, Duration>;

// `delay` behind `from`, or the end of time where there is no such moment.
inline TimePoint later(TimePoint from, Duration delay) noexcept {
  return delay > TimePoint::max() - from ? TimePoint::max() : from + delay;
}

}  // namespace penstock
