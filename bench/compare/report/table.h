// The table on the terminal.
#pragma once

#include <penstock/bench/compare/report/text_table.h>
#include <penstock/bench/compare/run/analysis.h>

#include <string>
#include <vector>

namespace penstock::compare {

// "echo, 64 B at 50 connections".
std::string cellTitle(const CellSummary& cell);

// A row of headings, then one for each cell: what io_uring costs of what epoll costs (CPU, or what
// the cell is about) with its interval, p50 and p99 of both, the smallest difference that could
// have been told apart, and the verdict.
std::vector<Row> cellRows(const Summary& summary);

// The cells in a line each, the sentences, and what is wrong in five lines at most.
std::string tableOf(const Summary& summary);

}  // namespace penstock::compare
