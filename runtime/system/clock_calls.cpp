#include <penstock/runtime/system/clock_calls.h>

namespace penstock {

TimePoint ClockCalls::now() noexcept { return Clock::now(); }

}  // namespace penstock
