#include <penstock/bench/compare/workload.h>

#include <algorithm>
#include <map>

namespace penstock::compare {
namespace {

// Functions, not variables: registrations of other files run before this file's variables live.
std::vector<Workload>& registered() {
  static std::vector<Workload> all;
  return all;
}

std::map<std::string, MakeService, std::less<>>& services() {
  static std::map<std::string, MakeService, std::less<>> all;
  return all;
}

}  // namespace

std::string_view nameOf(Profile profile) noexcept {
  switch (profile) {
    case Profile::kQuick:
      return "quick";
    case Profile::kStandard:
      return "default";
    case Profile::kFull:
      return "full";
    case Profile::kSpeed:
      return "speed";
  }
  return "";
}

std::string primaryMetric(const Cell& cell) {
  return cell.metric.empty() ? findWorkload(cell.workload)->primary : cell.metric;
}

bool isMemory(std::string_view metric) noexcept {
  return metric == "idle_bytes" || metric == "peak_mib";
}

bool takesTurns(const Cell& cell) { return !isMemory(primaryMetric(cell)); }

const std::vector<Workload>& workloads() { return registered(); }

const Workload* findWorkload(std::string_view name) {
  const auto& all = registered();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [name](const Workload& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

WorkloadRegistration::WorkloadRegistration(Workload workload) {
  auto& all = registered();
  // The order in which files are initialised is the linker's; this one is ours.
  const auto place = std::find_if(all.begin(), all.end(), [&workload](const Workload& each) {
    return each.rank > workload.rank;
  });
  all.insert(place, std::move(workload));
}

const MakeService* findService(std::string_view name) {
  const auto found = services().find(name);
  return found == services().end() ? nullptr : &found->second;
}

ServiceRegistration::ServiceRegistration(std::string name, MakeService make) {
  services().emplace(std::move(name), std::move(make));
}

std::vector<Cell> openLoop(const Cell& cell) {
  std::vector<Cell> cells;
  for (const double load : {0.50, 0.75, 0.90}) {
    cells.push_back(cell);
    cells.back().load = load;
  }
  return cells;
}

std::vector<Cell> withOpenLoops(std::vector<Cell> all, const std::vector<Cell>& cells) {
  for (const Cell& cell : cells) {
    const std::vector<Cell> open = openLoop(cell);
    all.insert(all.end(), open.begin(), open.end());
  }
  return all;
}

}  // namespace penstock::compare
