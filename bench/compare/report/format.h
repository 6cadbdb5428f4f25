// How figures look in the reports.
#pragma once

#include <penstock/bench/compare/run/analysis.h>

#include <string>

namespace penstock::compare {

// Three significant digits, thousands as k and M: "3.91", "245 k", "1.98 M".
std::string figure(double value);

// "3.91 [3.88, 4.02]".
std::string figure(const Estimate& estimate);

// "0.87x", with "~" before it when no difference is claimed.
std::string ratioText(const Comparison& comparison);

// The unit of a metric at a cell: "us/message", "messages/s".
std::string unitOf(const std::string& metric, const Cell& cell);

// "CPU us/message", "memory per idle connection, B": the head of a column.
std::string titleOf(const std::string& metric, const Cell& cell);

// The groups as a table: a row of headings, then one for each group, with a column for each engine:
// reference / engine of what the group is about, so that more than 1x is better. Empty: no groups.
std::vector<std::vector<std::string>> groupRows(const Summary& summary);

// Marks in one line: "INVALID: …; WARN: …"; empty if there are none.
std::string text(const std::vector<Mark>& marks);

// One word for the status column: "", "WARN" or "INVALID".
std::string status(const SeriesSummary& series, const CellSummary& cell);

// "Noise floor (A/A pairs): 2.1 %." or that it is not known.
std::string noiseText(const Summary& summary);

// Characters that a terminal shows, counting UTF-8 sequences as one.
std::size_t width(const std::string& text);

}  // namespace penstock::compare
