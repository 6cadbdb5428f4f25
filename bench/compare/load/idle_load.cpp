#include <penstock/bench/compare/load/idle_load.h>
#include <penstock/bench/compare/usage.h>

#include <algorithm>

namespace penstock::compare {
namespace {

constexpr std::size_t kBetweenAnswers = 256;  // The server's queue of connections must not fill.

std::int64_t total(const KernelMemory& memory) { return memory.slab + memory.tcpBuffers; }

}  // namespace

// The first connection is not counted: it makes the server ready for the others.
void IdleLoad::connect() {
  open();
  roundTrip(connections().front());
  residentBefore_ = memoryOf(request().target.server).resident;
  const std::int64_t kernelBefore = total(kernelMemory());
  for (std::size_t i = 1; i < request().cell.connections; ++i) {
    open();
    if (i % kBetweenAnswers == 0) roundTrip(connections().front());
  }
  // Connections are accepted in order, so an answer to the last means that all are there.
  roundTrip(connections().back());
  setExtra("idle_bytes",
           perConnection(memoryOf(request().target.server).resident - residentBefore_));
  setExtra("kernel_bytes", perConnection(total(kernelMemory()) - kernelBefore));
  setActive(std::min(kActive, connections().size()));
}

void IdleLoad::finish() {
  for (Connection& connection : connections()) roundTrip(connection);
  setExtra("used_bytes",
           perConnection(memoryOf(request().target.server).resident - residentBefore_));
}

double IdleLoad::perConnection(std::int64_t bytes) {
  return static_cast<double>(bytes) / static_cast<double>(request().cell.connections - 1);
}

}  // namespace penstock::compare
