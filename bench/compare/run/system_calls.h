// How many system calls a server makes for each unit, counted in a pass of its own under strace.
#pragma once

#include <penstock/bench/compare/call_counts.h>
#include <penstock/bench/compare/run/sample.h>

#include <nlohmann/json_fwd.hpp>

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace penstock::compare {

struct SystemCalls {
  std::string whyNot = "not counted";     // Why they are not known; empty: they are.
  std::map<std::string, double> perUnit;  // By name; those of starting up are left out.

  // What a server of ours has counted itself in this pass, and the units of it.
  std::optional<CallCounts> counts{};
  double units = 0;

  double total() const;
  // Units for each call that waits for events: the size of a batch. 0: it never waits.
  double unitsPerWait() const;
};

// The strace of this machine; empty if it has none.
std::string locateStrace();

// One sample under strace. It slows the server down, so nothing else is read off it; a slower
// server also finds more ready at once.
SystemCalls countSystemCalls(SampleRequest request);

// The calls that strace -c has listed, by name.
std::map<std::string, double> parseStraceSummary(std::string_view text);

nlohmann::json toJson(const SystemCalls& calls);
SystemCalls systemCallsFromJson(const nlohmann::json& json);

}  // namespace penstock::compare
