// How figures look on the terminal.
#pragma once

#include <penstock/bench/compare/run/analysis.h>

#include <string>
#include <vector>

namespace penstock::compare {

// Three significant digits (two under 0.01), thousands as k and M: "3.91", "245 k", "1.98 M".
std::string figure(double value);

// "3.91 [3.88, 4.02]".
std::string figure(const Estimate& estimate);

// The median of a metric, as figure() writes it; `otherwise` where it was not measured.
std::string medianOf(const SeriesSummary& series, const std::string& metric,
                     const std::string& otherwise = {});

// "0.87x".
std::string times(double ratio);

// "0.873 [0.851, 0.902]".
std::string ratioText(const Comparison& comparison);

// "0.873", with "~" before it where it is not told apart from 1.
std::string shortText(const Comparison& comparison);

// "1.4 %": the smallest difference that could have been told apart; "?": not known.
std::string seesText(const Comparison& comparison);

// The same of several cells; "3/4" behind it: in three of the four.
std::string meanText(const MeanComparison& mean);

// The unit of a metric at a cell: "us/message", "messages/s".
std::string unitOf(const std::string& metric, const Cell& cell);

// "CPU us/message", "memory per idle connection, B": the head of a column.
std::string titleOf(const std::string& metric, const Cell& cell);

// The groups as a table: a row of headings, then one for each group, with a column for each engine:
// reference / engine of what the group is about, so that more than 1x is better. Empty: no groups.
std::vector<std::vector<std::string>> groupRows(const Summary& summary);

// What is wrong in a word: "", "WARN", "INVALID" or "not served".
std::string status(const SeriesSummary& series, const CellSummary& cell);

// Characters that a terminal shows, counting UTF-8 sequences as one.
std::size_t width(const std::string& text);

}  // namespace penstock::compare
