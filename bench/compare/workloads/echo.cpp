// Workload echo: messages that come back, at many sizes, depths and numbers of connections.
#include <penstock/bench/compare/load/echo_load.h>
#include <penstock/bench/compare/workload.h>
#include <penstock/bench/compare/workloads/echo_service.h>

#include <memory>

namespace penstock::compare {
namespace {

const ServiceRegistration service("echo", [](Reactor&, const ServiceOptions&) {
  return ProtocolFactory([] { return std::make_unique<EchoService>(); });
});

Cell cellOf(unsigned connections, std::size_t size, unsigned depth = 1, const char* group = "") {
  Cell cell;
  cell.workload = "echo";
  cell.connections = connections;
  cell.size = size;
  cell.depth = depth;
  cell.group = group;
  return cell;
}

// With one connection everybody waits most of the time, so that it is about latency.
Cell oneConnection() {
  Cell cell = cellOf(1, 64, 1, "one connection, p50");
  cell.metric = "p50_us";
  return cell;
}

// What io_uring gains depends on how the messages come: one by one, or as a client hands them over
// that works in batches itself.
std::vector<Cell> withRing(std::vector<Cell> cells, std::vector<Cell> again) {
  for (Cell& cell : again) cell.client = kUringClient;
  cells.insert(cells.end(), again.begin(), again.end());
  return cells;
}

std::vector<Cell> fullSweep() {
  std::vector<Cell> cells;
  for (const unsigned connections : {1U, 10U, 50U, 200U, 1000U}) {
    for (const std::size_t size : {64U, 1024U, 4096U, 16384U, 65536U}) {
      cells.push_back(cellOf(connections, size));
    }
  }
  for (const unsigned depth : {4U, 16U, 64U}) cells.push_back(cellOf(50, 64, depth));
  return cells;
}

std::vector<Cell> saturated(Profile profile) {
  switch (profile) {
    case Profile::kQuick:
      return withRing({cellOf(1, 64), cellOf(50, 64), cellOf(50, 16384)}, {cellOf(50, 64)});
    case Profile::kStandard:
      return withRing({cellOf(1, 64), cellOf(50, 64), cellOf(1000, 64), cellOf(50, 64, 8),
                       cellOf(50, 16384), cellOf(50, 65536)},
                      {cellOf(50, 64), cellOf(1000, 64)});
    case Profile::kFull:
      return withRing(fullSweep(), {cellOf(50, 64), cellOf(1000, 64)});
    case Profile::kSpeed:
      return {cellOf(50, 64, 1, "small echo"),
              cellOf(1000, 64, 1, "small echo"),
              cellOf(50, 64, 8, "small echo"),
              cellOf(50, 1024, 1, "small echo"),
              cellOf(50, 16384, 1, "large echo"),
              cellOf(50, 65536, 1, "large echo"),
              oneConnection()};
  }
  return {};
}

std::vector<Cell> cells(Profile profile) {
  std::vector<Cell> all = saturated(profile);
  switch (profile) {
    case Profile::kQuick:
      all.push_back(openLoop(cellOf(50, 64))[1]);
      return all;
    case Profile::kStandard:
      return withOpenLoops(all, {cellOf(50, 64)});
    case Profile::kFull:
      return withOpenLoops(all, {cellOf(50, 64), cellOf(1000, 64), cellOf(50, 16384)});
    case Profile::kSpeed:
      return all;
  }
  return {};
}

const WorkloadRegistration workload({
    .name = "echo",
    .rank = 10,
    .unit = "message",
    .purpose = "Messages that come back as they went: requests and answers.",
    .cells = cells,
    .describe = describeMessages,
    .service = [](const Cell&) { return Service{.name = "echo"}; },
    .makeLoad = [](const LoadRequest& request) { return std::make_unique<EchoLoad>(request); },
});

}  // namespace
}  // namespace penstock::compare
