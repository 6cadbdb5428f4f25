// RingCalls: the io_uring system calls of a simulated kernel.
#pragma once

#include <penstock/runtime/uring/ring_calls.h>
#include <penstock/sim/kernel.h>

namespace penstock::sim {

class RingCalls final : public uring::RingCalls {
 public:
  explicit RingCalls(Kernel& kernel) noexcept : kernel_(kernel) {}

  int setup(unsigned entries, io_uring& ring, io_uring_params& params) noexcept override;
  void exit(io_uring& ring) noexcept override;
  int enter(io_uring& ring, unsigned submit, unsigned waitFor, unsigned flags,
            std::optional<Duration> timeout) noexcept override;
  int registerWith(io_uring& ring, unsigned opcode, void* argument, unsigned n) noexcept override;
  std::uint32_t features() noexcept override { return kernel_.ringFeatures(); }

 private:
  Kernel& kernel_;
};

}  // namespace penstock::sim
