// Comparisons: every pair of engines that the reports speak of, judged cell by cell and over cells.
#pragma once

#include <penstock/bench/compare/run/analysis.h>

namespace penstock::compare {

// Fills the comparisons of each cell.
void compareCells(Summary& summary);

// Fills the groups.
void compareGroups(const Plan& plan, Summary& summary);

}  // namespace penstock::compare
