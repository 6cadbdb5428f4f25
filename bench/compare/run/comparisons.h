// Comparisons: every pair of engines that the reports speak of, judged cell by cell and over cells.
#pragma once

#include <penstock/bench/compare/run/analysis.h>

#include <string>
#include <vector>

namespace penstock::compare {

// Fills the comparisons of each cell.
void compareCells(Summary& summary);

// One engine against another over `cells` together, each cell by `metric`, or by its own if that is
// empty. Cells in which either is missing or not valid are left out, and counted.
MeanComparison compareOver(const std::vector<const CellSummary*>& cells, const std::string& of,
                           const std::string& against, const std::string& metric);

// Fills the groups.
void compareGroups(const Plan& plan, Summary& summary);

}  // namespace penstock::compare
