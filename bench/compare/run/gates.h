// Gates: what makes a figure doubtful (WARN) or worthless (INVALID), with the reason.
#pragma once

#include <penstock/bench/compare/run/campaign.h>

#include <string>
#include <string_view>
#include <vector>

namespace penstock::compare {

enum class Grade { kOk, kWarn, kInvalid };

struct Mark {
  Grade grade = Grade::kOk;
  std::string reason;
};

// "WARN" or "INVALID"; empty for kOk.
std::string_view nameOf(Grade grade) noexcept;
Grade worst(const std::vector<Mark>& marks) noexcept;

// The limits, in one place.
struct Limits {
  static constexpr double kClientCore = 0.85;  // Of its core, while capacity is claimed.
  static constexpr double kForeign = 0.25;     // Cores used by others during the slices.
  static constexpr double kServerWaits = 0.1;  // Share of its time it waited for its core.
  static constexpr unsigned kRounds = 30;
  static constexpr double kOfferedKept = 0.98;  // Of the rate asked for in an open loop.
  static constexpr double kLateWarn = 0.25;     // Of the latency: the load generator's lateness.
  static constexpr double kLate = 0.50;         // More of it: latencies are not compared.
  static constexpr double kGrowthMiB = 16;      // Memory under a slow sink.
};

// One series: faults, backend, bytes, rounds, cores, other load.
std::vector<Mark> marksOf(const Series& series, const CellResult& result);

// Whether the load generator's core was busier than kClientCore in a closed loop: then throughput
// is not a capacity of the server.
bool clientIsBusy(const Series& series, const CellResult& result);

// Whether a fixed rate was more than the load generator could start in time: then latencies are its
// own, and what the server needs for a unit is not.
bool clientIsLate(const Series& series, const CellResult& result);

// The machine and the build: sanitizers, debug build, clock, shared cores.
std::vector<Mark> marksOfMachine(const Plan& plan);

}  // namespace penstock::compare
