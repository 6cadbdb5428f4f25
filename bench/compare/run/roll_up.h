// Marks of one kind together: what is wrong in the same way need not be read again and again.
#pragma once

#include <penstock/bench/compare/run/analysis.h>

#include <vector>

namespace penstock::compare {

// The marks of all series, the worst and most frequent kinds first: "3 of 54 results: …".
std::vector<Mark> rolledUp(const std::vector<CellSummary>& cells);

}  // namespace penstock::compare
