// Writes the result.json of a run that never was: sample_result PROFILE FILE. For looking at
// reports, and for the tests that do.
#include <penstock/bench/compare/command.h>
#include <penstock/bench/compare/environment.h>
#include <penstock/bench/compare/report/result_file.h>
#include <penstock/tests/compare/outcomes.h>

#include <nlohmann/json.hpp>

#include <cmath>
#include <cstdio>
#include <random>

using namespace outcomes;

namespace {

// Costs that differ as one might expect, so that charts have something to show.
double costOf(const std::string& engine, const Cell& cell) {
  const double bytes = static_cast<double>(cell.size) / 8000;
  const double size = cell.workload == "echo" ? 3 + bytes : 4 + cell.workUs;
  const double waiting = 12 / std::sqrt(static_cast<double>(cell.connections));
  const double depth = std::max(1.0, cell.depth / 3.0);
  double factor = 1;
  if (engine == "penstock-uring") factor = cell.size > 8192 ? 1.12 : 0.86;
  if (engine == "raw-uring") factor = 0.84;
  if (engine == "raw-epoll") factor = 0.95;
  if (engine == "asio") factor = 1.05;
  if (engine == "asio-uring") factor = 1.09;
  if (engine == "libevent") factor = 1.6;
  return (size + waiting) / depth * factor;
}

Series seriesOf(const std::string& engine, bool again, const Cell& cell, std::mt19937_64& random) {
  std::normal_distribution<double> noise(1, 0.012);
  const double cost = costOf(engine, cell);
  Series made = series(engine, std::vector<double>(30, 4), again);
  LoadResult& load = made.sample.load;
  for (Slice& slice : load.slices) {
    slice.units = 49'000 / cost;
    slice.server.cpuNs = static_cast<std::int64_t>(49'000'000 * noise(random));
    slice.server.machineBusyTicks = (slice.server.cpuNs + slice.clientCpuNs) / 10'000'000;
    slice.p50Ns = static_cast<std::uint64_t>(cost * 40'000 * noise(random));
    slice.p99Ns = static_cast<std::uint64_t>(cost * 120'000 * noise(random));
  }
  load.serverMemory = {4 << 20, 5 << 20};
  load.latency.clear();
  std::lognormal_distribution<double> latency(std::log(cost * 40'000), 0.5);
  for (int i = 0; i < 2000; ++i) load.latency.record(static_cast<std::uint64_t>(latency(random)));
  if (cell.workload == "idle") load.extra = {{"idle_bytes", 40 * cost}};
  made.systemCalls.whyNot.clear();
  made.systemCalls.perUnit = {{"io_uring_enter", 0.05}};
  return made;
}

Outcome outcomeOf(Profile profile) {
  std::mt19937_64 random(5);
  Outcome made;
  made.complete = true;
  made.plan.profile = nameOf(profile);
  made.plan.again = "penstock-epoll";
  made.notes = {"this is a sample: nothing here was measured"};
  for (const Engine& engine : engines()) {
    const bool wanted = engine.isPenstock() || profile != Profile::kStandard;
    if (wanted && engine.workloads.empty()) made.plan.engines.push_back(engine.name);
  }
  for (const Workload& workload : workloads()) {
    for (const Cell& cell : workload.cells(profile)) made.plan.cells.push_back(cell);
  }
  for (const Cell& cell : made.plan.cells) {
    CellResult result{cell, cell.open() ? 100000 * cell.load : 0, {}};
    for (const std::string& name : made.plan.engines) {
      result.series.push_back(seriesOf(name, false, cell, random));
    }
    result.series.push_back(seriesOf(made.plan.again, true, cell, random));
    made.cells.push_back(std::move(result));
  }
  return made;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: sample_result PROFILE FILE\n");
    return 2;
  }
  Result result;
  result.outcome = outcomeOf(profileNamed(argv[1]));
  result.environment = captureEnvironment();
  const Summary summary = analyse(result.outcome, {});
  writeFile(argv[2], textOf(toJson(result, summary)));
  return 0;
}
