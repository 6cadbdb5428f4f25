#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/table.h>
#include <penstock/bench/compare/report/text_table.h>

#include <vector>

namespace penstock::compare {
namespace {

std::string median(const SeriesSummary& series, const std::string& metric) {
  const Estimate* estimate = series.find(metric);
  return estimate == nullptr ? "-" : figure(estimate->median);
}

Row headings(const Cell& cell, const std::string& reference) {
  return {"engine",
          titleOf(primaryMetric(cell), cell) + " [95 %]",
          unitOf("rate", cell),
          "p50 us",
          "p99 us",
          "calls",
          "RSS MiB",
          "vs " + reference,
          ""};
}

Row rowOf(const SeriesSummary& series, const CellSummary& cell, const Summary& summary) {
  const std::string metric = primaryMetric(cell.cell);
  const Estimate* main = series.find(metric);
  const Comparison* against =
      series.again ? nullptr : cell.compare(series.engine, summary.reference, metric);
  return {series.label(),
          main == nullptr ? "-" : figure(*main),
          median(series, "rate"),
          median(series, "p50_us"),
          median(series, "p99_us"),
          median(series, "calls"),
          median(series, "peak_mib"),
          against == nullptr ? "" : ratioText(*against),
          status(series, cell)};
}

std::string remarksOf(const CellSummary& cell) {
  std::string remarks;
  for (const SeriesSummary& series : cell.series) {
    if (!series.marks.empty())
      remarks += "    " + series.label() + ": " + text(series.marks) + '\n';
  }
  if (!cell.marks.empty()) remarks += "    " + text(cell.marks) + '\n';
  return remarks;
}

std::string cellText(const CellSummary& cell, const Summary& summary) {
  std::string text = cell.cell.workload + ": " + cell.description;
  if (cell.cell.open()) text += " (" + figure(cell.ratePerSecond) + " a second)";
  std::vector<Row> rows{headings(cell.cell, summary.reference)};
  for (const SeriesSummary& series : cell.series) rows.push_back(rowOf(series, cell, summary));
  return text + '\n' + laidOut(rows, "  ") + remarksOf(cell) + '\n';
}

std::string groupsText(const Summary& summary) {
  if (summary.groups.empty()) return {};
  return "Groups, geometric means of " + summary.reference + " / engine; more is better\n" +
         laidOut(groupRows(summary), "  ") + '\n';
}

}  // namespace

std::string tableOf(const Summary& summary) {
  std::string all;
  for (const CellSummary& cell : summary.cells) all += cellText(cell, summary);
  all += groupsText(summary);
  if (!summary.marks.empty()) all += "The run as a whole: " + text(summary.marks) + "\n\n";
  for (const std::string& note : summary.notes) all += "Note: " + note + '\n';
  all += noiseText(summary) + " ~ marks ratios that are not told apart from noise.\n";
  for (const std::string& sentence : summary.sentences) all += sentence + '\n';
  return all;
}

}  // namespace penstock::compare
