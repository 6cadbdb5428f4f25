// drive(): several servers, each with its load, take turns in slices.
//
// All servers are alive at once, their connections open, and only one has traffic at a time. Rounds
// of one slice each follow one another, in an order drawn anew for each round. A slice begins and
// ends drained, with the server asleep: then its CPU clock is exact, what it has done is known to
// the byte, and nothing of it is left for the next one's turn.
#pragma once

#include <penstock/bench/compare/load/load.h>
#include <penstock/bench/compare/load/load_result.h>

#include <functional>
#include <memory>
#include <vector>

namespace penstock::compare {

// What a load generator process is told to do; JSON on its command line.
struct DriveRequest {
  Cell cell;
  std::vector<Target> targets;
  int serverCore = 0;
  double ratePerSecond = 0;
  double warmUpSeconds = 0.1;
  unsigned rounds = 30;
  double seconds = 0.025;  // Of a slice, until it is drained.
  std::uint64_t seed = 1;
  bool marksWindow = false;  // Sends the server SIGUSR1 at both ends of a slice.
};

nlohmann::json toJson(const DriveRequest& request);
DriveRequest driveRequestFromJson(const nlohmann::json& json);

using MakeLoad = std::function<std::unique_ptr<Load>(const LoadRequest&)>;

// Called before each round with its number; false: enough.
using GoOn = std::function<bool(unsigned round)>;

// A result for each target. Never throws: what goes wrong with a server is in its result's `error`,
// and the others go on without it.
std::vector<LoadResult> drive(const DriveRequest& request, const MakeLoad& make, const GoOn& goOn);

}  // namespace penstock::compare
