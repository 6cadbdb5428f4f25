// How many system calls a server makes for each unit, counted in a pass of its own under strace.
// Only those of the measured window count: connecting and clearing up are no part of a unit.
#pragma once

#include <penstock/bench/compare/call_counts.h>
#include <penstock/bench/compare/run/sample.h>

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::compare {

// Why not, where nothing went wrong.
inline constexpr const char* kNotCounted = "not counted";
inline constexpr const char* kNoStrace = "strace is not installed";
inline constexpr const char* kNotInOpenLoop = "a traced server is too slow for an open loop";

struct SystemCalls {
  std::string whyNot = kNotCounted;       // Why they are not known; empty: they are.
  std::map<std::string, double> perUnit;  // By name.

  // What a server of ours has counted itself in this pass, strace or not, and the units of it.
  std::optional<CallCounts> counts{};
  double units = 0;
  // In TCP buffers of the whole machine, while this server alone had connections.
  double socketBytes = 0;

  double total() const;
  // Units for each call that waits for events: the size of a batch. 0: it never waits.
  double unitsPerWait() const;
};

// The strace of this machine; empty if it has none.
std::string locateStrace();

// One sample under strace, or, in an open loop and where there is no strace, without. It slows the
// server down, so nothing else is read off it; a slower server also finds more ready at once.
SystemCalls countSystemCalls(SampleRequest request);

// The calls in what strace -f -ttt has written, by name: those that began at `from` or later and
// before `to`, in seconds since 1970.
std::map<std::string, double> callsInTrace(std::string_view text, double from, double to);

nlohmann::json toJson(const SystemCalls& calls);
SystemCalls systemCallsFromJson(const nlohmann::json& json);

}  // namespace penstock::compare
