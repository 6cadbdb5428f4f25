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

// A slice of 50 ms in which the server needed `cpuUs` for each of 10,000 messages, and nothing is
// wrong.
inline Slice goodSlice(double cpuUs) {
  constexpr double kUnits = 10000;
  constexpr std::int64_t kWindowNs = 50'000'000;
  constexpr std::int64_t kTickNs = 10'000'000;
  Slice slice;
  slice.units = kUnits;
  slice.seconds = 0.05;
  slice.server.atNs = kWindowNs;
  slice.server.cpuNs = static_cast<std::int64_t>(cpuUs * 1000 * kUnits);
  slice.server.userTicks = 1;
  slice.server.systemTicks = 3;
  slice.server.core = 0;
  slice.clientCpuNs = 30'000'000;
  slice.server.machineBusyTicks = (slice.server.cpuNs + slice.clientCpuNs) / kTickNs;
  slice.p50Ns = 250'000;
  slice.p99Ns = 397'000;
  return slice;
}

inline Series series(const std::string& engine, const std::vector<double>& cpuUs,
                     bool again = false) {
  Series made{engine, again};
  LoadResult& load = made.sample.load;
  for (const double each : cpuUs) load.slices.push_back(goodSlice(each));
  load.totalUnits = load.units();
  load.clientCore = 1;
  load.kernelBackend = made.sample.printedBackend = backendOf(engine);
  for (std::uint64_t ns = 100'000; ns < 400'000; ns += 1000) load.latency.record(ns);
  return made;
}

// `rounds` figures round `cpuUs` that lie 1 % apart.
inline std::vector<double> about(double cpuUs, std::size_t rounds = 30) {
  std::vector<double> values;
  for (std::size_t i = 0; i < rounds; ++i) {
    values.push_back(cpuUs * (1 + 0.005 * (double(i * 7 % 5) - 2) / 2));
  }
  return values;
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

inline const std::vector<double> kFour = about(4);

}  // namespace outcomes
