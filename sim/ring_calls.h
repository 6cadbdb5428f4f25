// sim::RingCalls: the io_uring system calls of a simulated kernel.
#pragma once

#include <penstock/runtime/uring/ring_calls.h>
#include <penstock/sim/machine.h>

namespace penstock::sim {

class RingCalls final : public uring::RingCalls {
 public:
  explicit RingCalls(Machine& machine) noexcept : machine_(machine) {}

  int setup(unsigned entries, io_uring& ring, io_uring_params& params) noexcept override;
  void exit(io_uring& ring) noexcept override;
  int enter(io_uring& ring, unsigned submit, unsigned waitFor, unsigned flags,
            std::optional<Duration> timeout) noexcept override;
  int registerWith(io_uring& ring, unsigned opcode, void* argument, unsigned n) noexcept override;
  std::uint32_t features() noexcept override { return machine_.ringFeatures; }
  uring::Usability usability() override { return {true, "it is simulated", ""}; }

 private:
  Machine& machine_;
};

}  // namespace penstock::sim
