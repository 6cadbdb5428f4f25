#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/table.h>
#include <penstock/bench/compare/report/text_table.h>
#include <penstock/bench/compare/run/roll_up.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace penstock::compare {
namespace {

// The unit says what it is, so that the column stays narrow.
std::string mainTitle(const Cell& cell) {
  const std::string metric = primaryMetric(cell);
  if (metric == "idle_bytes") return "B/connection";
  return titleOf(metric, cell);
}

Row headings(const Cell& cell, const std::string& reference) {
  return {"engine", mainTitle(cell), "units/s", "p50 us",          "p99 us",
          "calls",  "user %",        "RSS",     "vs " + reference, ""};
}

std::string userShare(const SeriesSummary& series) {
  const Estimate* user = series.find("user_us");
  const Estimate* all = series.find("cpu_us");
  if (user == nullptr || all == nullptr || all->median <= 0) return "-";
  return std::to_string(std::lround(100 * user->median / all->median));
}

Row tableRow(const SeriesSummary& series, const CellSummary& cell, const Summary& summary) {
  const std::string metric = primaryMetric(cell.cell);
  const Estimate* main = series.find(metric);
  const Comparison* against = comparisonShown(series, cell, summary.reference);
  return {series.label(),
          main == nullptr ? "-" : figure(*main),
          medianOf(series, "rate", "-"),
          medianOf(series, "p50_us", "-"),
          medianOf(series, "p99_us", "-"),
          medianOf(series, "calls", "-"),
          userShare(series),
          medianOf(series, "resident_mib", "-"),
          against == nullptr ? "" : ratioText(*against),
          status(series, cell)};
}

// Each kind once, with the engines that have it.
std::string remarksOf(const CellSummary& cell) {
  std::string remarks;
  for (const MarkKind& kind : kindsOf({&cell})) {
    std::string engines;
    for (const std::string& label : kind.where) engines += (engines.empty() ? "" : ", ") + label;
    if (kind.where.size() == cell.series.size()) engines = "all";
    remarks += wrapped("    " + std::string(nameOf(kind.example.grade)) + ' ',
                       engines + ": " + kind.example.reason);
  }
  for (const Mark& mark : cell.marks) {
    remarks += wrapped("    " + std::string(nameOf(mark.grade)) + ' ', mark.reason);
  }
  return remarks;
}

std::string cellText(const CellSummary& cell, const Summary& summary) {
  std::string text = cell.cell.workload + ": " + cell.description;
  if (cell.cell.open()) text += " (" + figure(cell.ratePerSecond) + " a second)";
  std::vector<Row> rows{headings(cell.cell, summary.reference)};
  for (const SeriesSummary& series : cell.series) rows.push_back(tableRow(series, cell, summary));
  return text + '\n' + laidOut(rows, "  ") + remarksOf(cell) + '\n';
}

// As many engines beside one another as there is room for; the rest below.
std::string groupsText(const Summary& summary) {
  if (summary.groups.empty()) return {};
  constexpr std::ptrdiff_t kBeside = 4;
  const std::vector<Row> rows = groupRows(summary);
  const auto columns = static_cast<std::ptrdiff_t>(rows.front().size());
  std::string text =
      "Groups, geometric means of " + summary.reference + " / engine; more is better\n";
  for (std::ptrdiff_t first = 1; first < columns; first += kBeside) {
    const std::ptrdiff_t last = std::min(first + kBeside, columns);
    std::vector<Row> part;
    for (const Row& row : rows) {
      part.push_back({row.front()});
      part.back().insert(part.back().end(), row.begin() + first, row.begin() + last);
    }
    text += laidOut(part, "  ") + '\n';
  }
  return text;
}

// "echo: " hangs over the lines below it.
std::string sentenceText(const std::string& sentence) {
  const auto rest = sentence.find(' ') + 1;
  return wrapped(sentence.substr(0, rest), sentence.substr(rest));
}

}  // namespace

std::string tableOf(const Summary& summary) {
  std::string all;
  for (const CellSummary& cell : summary.cells) all += cellText(cell, summary);
  all += groupsText(summary);
  all +=
      "[ ]: 95 % intervals; ~: not told apart from noise; calls: system calls per unit of work; "
      "RSS: MiB.\nAll figures are in report.md and report.html.\n\n";
  for (const Mark& mark : summary.marks) {
    all += wrapped(std::string(nameOf(mark.grade)) + ": ", mark.reason);
  }
  for (const std::string& note : summary.notes) all += wrapped("Note: ", note);
  all += wrapped("Noise: ", noiseText(summary)) + '\n';
  for (const std::string& sentence : summary.sentences) all += sentenceText(sentence);
  return all;
}

}  // namespace penstock::compare
