// sim::ClockCalls: virtual time.
#pragma once

#include <penstock/runtime/system/clock_calls.h>
#include <penstock/sim/machine.h>

namespace penstock::sim {

class ClockCalls final : public penstock::ClockCalls {
 public:
  explicit ClockCalls(Machine& machine) noexcept : machine_(machine) {}

  TimePoint now() noexcept override {
    const auto lock = machine_.lock();
    return machine_.world.now();
  }

 private:
  Machine& machine_;
};

}  // namespace penstock::sim
