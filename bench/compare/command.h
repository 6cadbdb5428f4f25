// `penstock compare`, behind its command line.
#pragma once

#include <penstock/bench/compare/run/plan.h>

#include <string>
#include <vector>

namespace penstock::compare {

struct CommandOptions {
  PlanRequest request;
  std::string out = "penstock-compare";  // Where the three files go; made if it is not there.
  std::string replay;                    // A result whose plan is carried out again.
  // Nothing is measured: of two results the difference is shown, of one the report is written
  // anew.
  std::vector<std::string> results;
  bool selfTest = false;  // Nothing is compared: what a run can see is proved.
  bool quiet = false;     // No progress line.
};

// The profile of that name; throws BadRequest if there is none.
Profile profileNamed(const std::string& name);

// Measures and reports, or compares two results. Throws BadRequest and other std::exceptions,
// whose text is one line; returns the exit status.
int runCommand(const CommandOptions& options);

}  // namespace penstock::compare
