// Made-up outcomes, for tests of what is worked out of them.
#pragma once

#include <penstock/bench/compare/run/campaign.h>

#include <string>
#include <vector>

namespace outcomes {

using namespace penstock::compare;

inline Cell echoCell() {
  Cell cell;
  cell.workload = "echo";
  cell.connections = 50;
  return cell;
}

inline std::string backendOf(const std::string& engine) { return findEngine(engine)->backend; }

// Half a second in which the server needed `cpuUs` for each of 100,000 messages, and nothing is
// wrong.
inline Sample goodSample(const std::string& engine, double cpuUs) {
  constexpr double kUnits = 100000;
  constexpr std::int64_t kWindowNs = 500'000'000;
  constexpr std::int64_t kTickNs = 10'000'000;
  Sample sample;
  LoadResult& load = sample.load;
  load.units = load.totalUnits = kUnits;
  load.seconds = 0.5;
  load.server.atNs = kWindowNs;
  load.server.cpuNs = static_cast<std::int64_t>(cpuUs * 1000 * kUnits);
  load.server.userTicks = 10;
  load.server.systemTicks = 30;
  load.clientCpuNs = 300'000'000;
  load.server.machineBusyTicks = (load.server.cpuNs + load.clientCpuNs) / kTickNs;
  load.server.core = 0;
  load.clientCore = 1;
  load.kernelBackend = sample.printedBackend = backendOf(engine);
  for (std::uint64_t ns = 100'000; ns < 400'000; ns += 1000) load.latency.record(ns);
  return sample;
}

inline Series series(const std::string& engine, const std::vector<double>& cpuUs,
                     bool again = false) {
  Series made{engine, again, {}, {}};
  for (const double each : cpuUs) made.samples.push_back(goodSample(engine, each));
  return made;
}

// The two backends and the A/A pair at one cell.
inline Outcome outcome(const std::vector<double>& uring, const std::vector<double>& epoll,
                       const std::vector<double>& again) {
  Outcome made;
  made.complete = true;
  made.plan.engines = {"penstock-uring", "penstock-epoll"};
  made.plan.again = "penstock-epoll";
  made.plan.cells = {echoCell()};
  made.cells.push_back({echoCell(),
                        0,
                        {series("penstock-uring", uring), series("penstock-epoll", epoll),
                         series("penstock-epoll", again, true)}});
  return made;
}

inline const std::vector<double> kFour{4.00, 4.02, 3.98, 4.01, 3.99};

}  // namespace outcomes
