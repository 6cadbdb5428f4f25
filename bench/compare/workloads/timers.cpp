// Workload timers: an echo with a time-out that is armed and cancelled round each message.
#include <penstock/bench/compare/load/echo_load.h>
#include <penstock/bench/compare/workload.h>
#include <penstock/bench/compare/workloads/echo_service.h>
#include <penstock/runtime/timer.h>

#include <chrono>
#include <memory>

namespace penstock::compare {
namespace {

// Waits for the next message with a time limit, as servers do.
class TimersService final : public EchoService {
 public:
  explicit TimersService(Reactor& reactor) : timer_(reactor, [this] { giveUp(); }) {}

  void connectionMade(Transport& transport) override {
    EchoService::connectionMade(transport);
    timer_.arm(kPatience);
  }
  void dataReceived(Bytes bytes) override {
    timer_.cancel();
    EchoService::dataReceived(bytes);
    timer_.arm(kPatience);
  }

 private:
  static constexpr std::chrono::seconds kPatience{30};

  void giveUp() { transport().abortConnection(); }

  Timer timer_;
};

const ServiceRegistration service("timers", [](Reactor& reactor, const ServiceOptions&) {
  return ProtocolFactory([&reactor] { return std::make_unique<TimersService>(reactor); });
});

Cell cellOf(unsigned connections) {
  Cell cell;
  cell.workload = "timers";
  cell.connections = connections;
  return cell;
}

std::vector<Cell> cells(Profile profile) {
  switch (profile) {
    case Profile::kQuick:
    case Profile::kSpeed:
      return {};
    case Profile::kStandard:
      return {cellOf(50)};
    case Profile::kFull:
      return withOpenLoops({cellOf(50), cellOf(1000)}, {cellOf(50)});
  }
  return {};
}

const WorkloadRegistration workload({
    .name = "timers",
    .rank = 60,
    .unit = "message",
    .purpose = "An echo with a time-out of 30 s that each message cancels and arms again.",
    .cells = cells,
    .describe = describeMessages,
    .service = [](const Cell&) { return Service{.name = "timers"}; },
    .makeLoad = [](const LoadRequest& request) { return std::make_unique<EchoLoad>(request); },
});

}  // namespace
}  // namespace penstock::compare
