// Workload churn: connections that live for one message.
#include <penstock/bench/compare/load/churn_load.h>
#include <penstock/bench/compare/workload.h>

#include <memory>

namespace penstock::compare {
namespace {

Cell cellOf(unsigned connections, const char* group = "") {
  Cell cell;
  cell.workload = "churn";
  cell.connections = connections;
  cell.group = group;
  return cell;
}

std::vector<Cell> cells(Profile profile) {
  switch (profile) {
    case Profile::kQuick:
    case Profile::kStandard:
      return {cellOf(50)};
    case Profile::kFull:
      return {cellOf(1), cellOf(50), cellOf(500)};
    case Profile::kSpeed:
      return {cellOf(50, "churn")};
  }
  return {};
}

std::string describe(const Cell& cell) {
  return sizeText(cell.size) + " on each of " + std::to_string(cell.connections) +
         " connections at once";
}

const WorkloadRegistration workload({
    .name = "churn",
    .rank = 40,
    .unit = "connection",
    .purpose = "Connections that live for one message there and back.",
    .sendsMessages = false,
    .cells = cells,
    .describe = describe,
    .service = [](const Cell&) { return Service{.name = "echo"}; },
    .makeLoad = [](const LoadRequest& request) { return std::make_unique<ChurnLoad>(request); },
});

}  // namespace
}  // namespace penstock::compare
