// Campaign: carries a plan out, sample by sample, and keeps what came of it.
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

// One engine at one cell, all repetitions.
struct Series {
  std::string engine;
  bool again = false;  // The second half of the A/A pair.
  std::vector<Sample> samples;
  SystemCalls systemCalls;
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
  std::size_t done = 0;  // Samples.
  std::size_t all = 0;
  double secondsLeft = 0;
  std::string now;  // "echo/c50/64/d1 penstock-uring"
};
using Tell = std::function<void(const Progress&)>;

// Each round visits the cells, and at each cell the engines, in an order drawn anew from the
// plan's seed, so that what drifts on the machine meets all alike. The open loops come after the
// saturated cells, whose capacity they need. Ends early, with whole samples, once interrupted().
Outcome carryOut(const Plan& plan, const Tell& tell);

// The rate at which `cell` in an open loop starts its units: its share of the capacity that the
// slower of Penstock's backends (else: the slowest engine) had in the saturated cell; 0: unknown.
double offeredRate(const Cell& cell, const std::vector<CellResult>& cells);

}  // namespace penstock::compare
