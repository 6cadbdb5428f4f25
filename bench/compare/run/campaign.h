// Campaign: carries a plan out, cell by cell, and keeps what came of it.
#pragma once

#include <penstock/bench/compare/run/plan.h>
#include <penstock/bench/compare/run/sample.h>
#include <penstock/bench/compare/run/system_calls.h>

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace penstock::compare {

// One engine at one cell.
struct Series {
  std::string engine;
  bool again = false;  // The second half of the A/A pair.
  Sample sample{};
  SystemCalls systemCalls{};
};

struct CellResult {
  Cell cell;
  double ratePerSecond = 0;  // What an open loop asked for.
  std::vector<Series> series;
  double wantedRate = 0;  // What it would have, if the load generator could start as much in time.
};

struct Outcome {
  Plan plan;
  std::vector<CellResult> cells;
  bool complete = false;             // False: Ctrl-C came first.
  std::vector<std::string> notes{};  // What was not measured, and why.
};

// What is told while it runs.
struct Progress {
  std::size_t done = 0;  // Rounds, and passes beside them.
  std::size_t all = 0;
  double secondsLeft = 0;
  std::string now;  // "echo/c50/64/d1 penstock-uring"
};
using Tell = std::function<void(const Progress&)>;

// Visits the cells in an order drawn from the plan's seed. At each all engines are alive at once
// and take turns, in several sittings with new servers; then each has a pass to itself, in which
// its system calls are counted. The open loops come after the saturated cells, whose capacity they
// need. Once interrupted() it ends with the rounds that are complete.
Outcome carryOut(const Plan& plan, const Tell& tell);

// The rate at which `cell` in an open loop starts its units: its share of the capacity that the
// slower of Penstock's backends (else: the slowest engine) had in the saturated cell; 0: unknown.
double offeredRate(const Cell& cell, const std::vector<CellResult>& cells);

}  // namespace penstock::compare
