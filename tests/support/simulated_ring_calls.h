// SimulatedRingCalls: the io_uring system calls of a simulated kernel.
#pragma once

#include <penstock/runtime/uring/ring_calls.h>
#include <penstock/tests/support/simulated_kernel.h>

namespace penstock {

class SimulatedRingCalls final : public uring::RingCalls {
 public:
  explicit SimulatedRingCalls(SimulatedKernel& kernel) noexcept : kernel_(kernel) {}

  int setup(unsigned entries, io_uring& ring, io_uring_params& params) noexcept override;
  void exit(io_uring& ring) noexcept override;
  int enter(io_uring& ring, unsigned submit, unsigned waitFor, unsigned flags,
            std::optional<Duration> timeout) noexcept override;
  int registerWith(io_uring& ring, unsigned opcode, void* argument, unsigned n) noexcept override;
  std::uint32_t features() noexcept override { return kernel_.ringFeatures(); }

 private:
  SimulatedKernel& kernel_;
};

}  // namespace penstock
