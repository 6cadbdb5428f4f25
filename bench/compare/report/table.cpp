#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/table.h>
#include <penstock/bench/compare/report/text_table.h>
#include <penstock/bench/compare/run/sentences.h>

#include <algorithm>
#include <vector>

namespace penstock::compare {
namespace {

constexpr std::size_t kMostWarnings = 5;

bool hasBackends(const Summary& summary) {
  return std::any_of(summary.cells.begin(), summary.cells.end(), [](const CellSummary& cell) {
    return cell.find("penstock-uring") != nullptr && cell.find("penstock-epoll") != nullptr;
  });
}

// What the two columns of latencies are of: the two that the row compares.
std::string bothOf(const CellSummary& cell, const Comparison& main, const std::string& metric) {
  const SeriesSummary* one = cell.find(main.of);
  const SeriesSummary* other = cell.find(main.against);
  if (one == nullptr || other == nullptr || !one->find(metric)) return "";
  return medianOf(*one, metric, "-") + " / " + medianOf(*other, metric, "-");
}

// As many engines beside one another as there is room for; the rest below.
std::string inParts(const std::vector<Row>& rows, std::ptrdiff_t beside) {
  if (rows.empty()) return {};
  const auto columns = static_cast<std::ptrdiff_t>(rows.front().size());
  std::string text;
  for (std::ptrdiff_t first = 1; first < columns; first += beside) {
    const std::ptrdiff_t last = std::min(first + beside, columns);
    std::vector<Row> part;
    for (const Row& row : rows) {
      part.push_back({row.front()});
      part.back().insert(part.back().end(), row.begin() + first, row.begin() + last);
    }
    text += laidOut(part, "  ") + '\n';
  }
  return text;
}

// The ratios of all engines to the reference, a line for each cell; nothing where two met alone.
std::string othersText(const Summary& summary) {
  if (summary.engines.size() <= 2) return {};
  Row heads{"all engines / " + summary.reference};
  for (const EngineSummary& engine : summary.engines) {
    if (engine.name != summary.reference) heads.push_back(engine.name);
  }
  std::vector<Row> rows{heads};
  for (const CellSummary& cell : summary.cells) {
    Row& row = rows.emplace_back(Row{cellTitle(cell)});
    for (std::size_t i = 1; i < heads.size(); ++i) {
      const Comparison* found = cell.compare(heads[i], summary.reference, primaryMetric(cell.cell));
      row.push_back(found == nullptr || !found->valid ? "-" : shortText(*found));
    }
  }
  return laidOut(rows, "") + '\n';
}

std::string groupsText(const Summary& summary) {
  if (summary.groups.empty()) return {};
  constexpr std::ptrdiff_t kBeside = 3;
  return "Groups, geometric means of " + summary.reference + " / engine; more is better\n" +
         inParts(groupRows(summary), kBeside);
}

// The worst first, in as many lines as there are to be; what does not fit is counted.
std::string warningsText(const Summary& summary) {
  std::vector<std::string> warnings;
  for (const Mark& mark : summary.marks) {
    warnings.push_back(std::string(nameOf(mark.grade)) + ": " + mark.reason);
  }
  for (const std::string& note : summary.notes) warnings.push_back("Note: " + note);
  const bool all = warnings.size() <= kMostWarnings;
  const std::size_t shown = all ? warnings.size() : kMostWarnings - 1;
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) text += shortened(warnings[i]) + '\n';
  if (all) return text;
  return text + "and " + std::to_string(warnings.size() - shown) + " more, in result.json\n";
}

bool wasMeasured(const CellSummary& cell) {
  return std::any_of(cell.series.begin(), cell.series.end(), [](const SeriesSummary& series) {
    return !series.values.empty() || !series.marks.empty();
  });
}

// A row of headings, then one for each cell: what io_uring costs of what epoll costs (CPU, or what
// the cell is about) with its interval, p50 and p99 of both, the smallest difference that could
// have been told apart, and the verdict.
std::vector<Row> cellRows(const Summary& summary) {
  const std::string sides = hasBackends(summary) ? "io_uring / epoll" : "engine / reference";
  std::vector<Row> rows{{"workload", sides + " [95 %]", "p50 us", "p99 us", "sees", "verdict"}};
  for (const CellSummary& cell : summary.cells) {
    const Comparison* main = cell.main();
    if (main == nullptr) {
      rows.push_back(
          {cellTitle(cell), "-", "", "", "", wasMeasured(cell) ? "not valid" : "not measured"});
      continue;
    }
    rows.push_back({cellTitle(cell), ratioText(*main), bothOf(cell, *main, "p50_us"),
                    bothOf(cell, *main, "p99_us"), seesText(*main), wordsOf(*main)});
  }
  return rows;
}

}  // namespace

std::string cellTitle(const CellSummary& cell) {
  return cell.cell.workload + ", " + cell.description;
}

std::string tableOf(const Summary& summary) {
  std::string all = laidOut(cellRows(summary), "") + '\n';
  all += othersText(summary) + groupsText(summary);
  for (const std::string& sentence : summary.sentences) all += shortened(sentence) + '\n';
  const std::string warnings = warningsText(summary);
  return all + (warnings.empty() ? "" : '\n' + warnings);
}

}  // namespace penstock::compare
