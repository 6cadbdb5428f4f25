// The table on the terminal.
#pragma once

#include <penstock/bench/compare/run/analysis.h>

#include <string>

namespace penstock::compare {

// "echo, 64 B at 50 connections".
std::string cellTitle(const CellSummary& cell);

// The cells in a line each, the sentences, and what is wrong in five lines at most.
std::string tableOf(const Summary& summary);

}  // namespace penstock::compare
