// sim::DescriptorCalls: what can be asked of any simulated descriptor.
#pragma once

#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/sim/machine.h>

namespace penstock::sim {

class DescriptorCalls final : public penstock::DescriptorCalls {
 public:
  explicit DescriptorCalls(Machine& machine) noexcept : machine_(machine) {}

  int close(int fd) noexcept override;
  int setNonBlocking(int fd, bool nonBlocking) noexcept override;
  int setCloseOnExec(int fd) noexcept override;
  int openReserve() noexcept override;

 private:
  using Real = penstock::DescriptorCalls;

  Machine& machine_;
};

}  // namespace penstock::sim
