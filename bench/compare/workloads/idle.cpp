// Workload idle: many connections of which a few are active, and what they cost in memory.
#include <penstock/bench/compare/load/idle_load.h>
#include <penstock/bench/compare/workload.h>

#include <memory>

namespace penstock::compare {
namespace {

Cell cellOf(unsigned connections, const char* group = "") {
  Cell cell;
  cell.workload = "idle";
  cell.connections = connections;
  cell.group = group;
  return cell;
}

std::vector<Cell> cells(Profile profile) {
  switch (profile) {
    case Profile::kQuick:
      return {};
    case Profile::kStandard:
      return {cellOf(2000)};
    case Profile::kFull:
      return {cellOf(10000)};
    case Profile::kSpeed:
      return {cellOf(10000, "idle memory")};
  }
  return {};
}

std::string describe(const Cell& cell) {
  return "memory of " + std::to_string(cell.connections) + " connections, 10 of them active";
}

const WorkloadRegistration workload({
    .name = "idle",
    .rank = 50,
    .unit = "message",
    .purpose = "Many connections of which a few are active: what the others cost.",
    .primary = "idle_bytes",
    .cells = cells,
    .describe = describe,
    .service = [](const Cell&) { return Service{.name = "echo"}; },
    .makeLoad = [](const LoadRequest& request) { return std::make_unique<IdleLoad>(request); },
});

}  // namespace
}  // namespace penstock::compare
