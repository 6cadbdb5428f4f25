// Marks of one kind together: what is wrong in the same way need not be read again and again.
#pragma once

#include <penstock/bench/compare/run/analysis.h>

#include <string>
#include <vector>

namespace penstock::compare {

struct MarkKind {
  Mark example;                    // The first of them; the others differ in their figures.
  std::vector<std::string> where;  // Labels of the series that have it.
};

// The marks of all series of `cells`, the worst and most frequent kinds first.
std::vector<MarkKind> kindsOf(const std::vector<const CellSummary*>& cells);

// The same as marks of the run: "3 of 54 results: …".
std::vector<Mark> rolledUp(const std::vector<CellSummary>& cells);

}  // namespace penstock::compare
