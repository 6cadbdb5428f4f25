// ClockCalls: what time it is.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/time.h>

namespace penstock {

// See runtime/system/system_calls.h.
class PENSTOCK_API ClockCalls {
 public:
  virtual ~ClockCalls() = default;

  virtual TimePoint now() noexcept;
};

PENSTOCK_API ClockCalls& clockCalls() noexcept;

}  // namespace penstock
