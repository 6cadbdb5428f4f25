// sim::PipeCalls: splicing between simulated sockets and pipes, which are real.
#pragma once

#include <penstock/runtime/system/pipe_calls.h>
#include <penstock/sim/machine.h>

namespace penstock::sim {

class PipeCalls final : public penstock::PipeCalls {
 public:
  explicit PipeCalls(Machine& machine) noexcept : machine_(machine) {}

  ssize_t splice(int from, int to, std::size_t most) noexcept override;

 private:
  using Real = penstock::PipeCalls;

  static ssize_t spliceFrom(Socket& socket, int pipe, std::size_t most);
  static ssize_t spliceTo(Socket& socket, int pipe, std::size_t most);

  Machine& machine_;
};

}  // namespace penstock::sim
