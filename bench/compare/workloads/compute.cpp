// Workload compute: an echo that works on each message for a while.
#include <penstock/bench/compare/load/echo_load.h>
#include <penstock/bench/compare/spin.h>
#include <penstock/bench/compare/workload.h>
#include <penstock/bench/compare/workloads/echo_service.h>

#include <memory>

namespace penstock::compare {
namespace {

// Keeps the core busy once for each whole message.
class ComputeService final : public EchoService {
 public:
  explicit ComputeService(const ServiceOptions& options)
      : size_(options.size), workNs_(options.workUs * 1000.0) {}

  void dataReceived(Bytes bytes) override {
    for (pending_ += bytes.size(); pending_ >= size_; pending_ -= size_) work();
    EchoService::dataReceived(bytes);
  }

 private:
  void work() const { busyFor(workNs_); }

  const std::size_t size_;
  const double workNs_;
  std::size_t pending_ = 0;
};

const ServiceRegistration service("compute", [](Reactor&, const ServiceOptions& options) {
  return ProtocolFactory([options] { return std::make_unique<ComputeService>(options); });
});

Cell cellOf(unsigned workUs) {
  Cell cell;
  cell.workload = "compute";
  cell.connections = 50;
  cell.workUs = workUs;
  return cell;
}

std::vector<Cell> cells(Profile profile) {
  switch (profile) {
    case Profile::kQuick:
    case Profile::kSpeed:
      return {};
    case Profile::kStandard:
      return {cellOf(10)};
    case Profile::kFull:
      return withOpenLoops({cellOf(0), cellOf(5), cellOf(10), cellOf(20), cellOf(50)},
                           {cellOf(10)});
  }
  return {};
}

std::string describe(const Cell& cell) {
  return describeMessages(cell) + " with " + std::to_string(cell.workUs) + " us of work";
}

Service serviceOf(const Cell& cell) {
  return {.name = "compute", .arguments = {"--work-us", std::to_string(cell.workUs)}};
}

const WorkloadRegistration workload({
    .name = "compute",
    .rank = 70,
    .unit = "message",
    .purpose = "An echo whose server works on each message.",
    .cells = cells,
    .describe = describe,
    .service = serviceOf,
    .makeLoad = [](const LoadRequest& request) { return std::make_unique<EchoLoad>(request); },
});

}  // namespace
}  // namespace penstock::compare
