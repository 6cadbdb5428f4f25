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
  std::string again;  // The engine that runs twice: the A/A pair, the measure of noise.
  std::vector<Cell> cells;
  unsigned repetitions = 5;
  double warmUpSeconds = 0.15;
  double seconds = 0.5;
  double limitSeconds = 0;  // Windows are shortened so that all takes no longer; 0: no limit.
  std::uint64_t seed = 1;
  Cores cores;
  std::string client{kEpollClient};  // How the load generator moves bytes: the same for all.
};

// What the user asked for.
struct PlanRequest {
  Profile profile = Profile::kStandard;
  std::vector<std::string> engines;    // Empty: those of the profile that are here.
  std::vector<std::string> workloads;  // Empty: all.
  std::vector<std::string> only;       // Cells whose name has one of these in it; empty: all.
  unsigned repetitions = 0;            // 0: the profile's.
  std::uint64_t seed = 1;
  std::string client;  // Empty: the profile's.
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
