// Lateness: how much of an open loop's latency is the load generator's, which started late.
#pragma once

#include <penstock/bench/compare/run/sample.h>

namespace penstock::compare {

// Lateness over latency at `percent`; 0 where lateness was not measured.
double lateShare(const LoadResult& load, double percent);

// At p50 or p99, whichever is worse.
double lateShare(const LoadResult& load);

// A load generator that the rate overcharges: not now and then, but as a rule.
bool isOvercharged(const LoadResult& load);

}  // namespace penstock::compare
