// Plan: which engines meet at which cells, how often, how long; all that a replay needs.
#pragma once

#include <penstock/bench/compare/cell.h>
#include <penstock/bench/compare/run/sample.h>
#include <penstock/bench/compare/workload.h>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace penstock::compare {

struct Plan {
  std::string profile = "default";
  std::vector<std::string> engines;
  std::string again;  // The engine that runs twice: the A/A pair, which ought to agree.
  std::vector<Cell> cells;
  unsigned rounds = 30;
  double seconds = 0.025;  // Of a slice: see sliceSeconds().
  std::uint64_t seed = 1;
  Cores cores;
};

// How long a slice of `cell` lasts.
double sliceSeconds(const Plan& plan, const Cell& cell);

// What the user asked for.
struct PlanRequest {
  Profile profile = Profile::kStandard;
  std::vector<std::string> engines;    // Empty: those of the profile that are here.
  std::vector<std::string> workloads;  // Empty: all.
  std::vector<std::string> only;       // Cells whose name has one of these in it; empty: all.
  unsigned rounds = 0;                 // 0: as many as the profile has time for.
  std::uint64_t seed = 1;
  std::string client;  // Of messages; empty: the profile's.
};

// Bad input, with what to do about it, in one line.
class BadRequest final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Works out the plan. Throws BadRequest for an unknown engine or workload, an engine that is not
// here, a selection that leaves nothing, too few descriptors, or a machine with one core.
Plan makePlan(const PlanRequest& request);

// A plan from a file, with cores of this machine where it does not have those of the other. Throws
// BadRequest if this machine cannot carry it out.
Plan adapted(Plan plan);

// What the run will not have, each with why: engines that are not here, tools, counters.
std::vector<std::string> whatIsMissing(const PlanRequest& request);

// How long it will take, in seconds, roughly.
double expectedSeconds(const Plan& plan);

nlohmann::json toJson(const Plan& plan);
Plan planFromJson(const nlohmann::json& json);

}  // namespace penstock::compare
