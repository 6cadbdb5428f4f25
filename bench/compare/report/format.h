// How figures look in the reports.
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

// What a row of `series` says of the reference; for the second half of the A/A pair, of the first.
const Comparison* comparisonShown(const SeriesSummary& series, const CellSummary& cell,
                                  const std::string& reference);

// The metrics that any series has a figure of, in the order of the tables.
std::vector<std::string> metricsShown(const Summary& summary);

// "latency p50 us", "CPU us/unit": the head of a column that has several workloads below it.
std::string columnTitle(const std::string& metric);

// Marks in one line: "INVALID: …; WARN: …"; empty if there are none.
std::string text(const std::vector<Mark>& marks);

// One word for the status column: "", "WARN" or "INVALID".
std::string status(const SeriesSummary& series, const CellSummary& cell);

// "libuv: 1.44.2, epoll; …": the versions that ran, and the kernel interface each was seen to use.
std::string enginesText(const Summary& summary);

// Characters that a terminal shows, counting UTF-8 sequences as one.
std::size_t width(const std::string& text);

}  // namespace penstock::compare
