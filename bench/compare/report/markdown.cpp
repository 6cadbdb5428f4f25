#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/markdown.h>
#include <penstock/bench/compare/report/table.h>
#include <penstock/bench/compare/run/sentences.h>

#include <nlohmann/json.hpp>

#include <vector>

namespace penstock::compare {
namespace {

using nlohmann::json;

std::string line(const Row& row) {
  std::string text = "|";
  for (const std::string& field : row) text += ' ' + field + " |";
  return text + '\n';
}

std::string ruler(std::size_t names, std::size_t figures) {
  std::string text = "|";
  for (std::size_t i = 0; i < names; ++i) text += "---|";
  for (std::size_t i = 0; i < figures; ++i) text += "---:|";
  return text;
}

Row cellsOf(const SeriesSummary& series, const CellSummary& cell, const Summary& summary) {
  const std::string metric = primaryMetric(cell.cell);
  const Estimate* main = series.find(metric);
  const Comparison* against = comparisonShown(series, cell, summary.reference);
  return {cellTitle(cell),
          series.label(),
          main == nullptr ? "" : figure(*main) + ' ' + unitOf(metric, cell.cell),
          medianOf(series, "rate"),
          medianOf(series, "p50_us"),
          medianOf(series, "p99_us"),
          medianOf(series, "calls"),
          medianOf(series, "resident_mib"),
          against == nullptr ? "" : ratioText(*against) + ", " + wordsOf(*against),
          status(series, cell)};
}

// The same table as on the terminal.
std::string verdicts(const Summary& summary) {
  const auto rows = cellRows(summary);
  std::string text = line(rows.front()) + "|---|---:|---:|---:|---:|---|\n";
  for (std::size_t i = 1; i < rows.size(); ++i) text += line(rows[i]);
  return text + '\n';
}

std::string figures(const Summary& summary) {
  std::string text = line({"workload", "engine", "cost [95 %]", "units/s", "p50 us", "p99 us",
                           "calls/unit", "RSS MiB", "vs " + summary.reference + " [95 %]", ""});
  text += ruler(2, 7) + "---|\n";
  for (const CellSummary& cell : summary.cells) {
    for (const SeriesSummary& series : cell.series) text += line(cellsOf(series, cell, summary));
  }
  return text;
}

// What the first table has no room for, folded away where that is understood.
std::string allFigures(const Summary& summary) {
  const auto metrics = metricsShown(summary);
  Row heads{"workload", "engine"};
  for (const std::string& metric : metrics) heads.push_back(columnTitle(metric));
  std::string text = "\n<details><summary>All figures (medians)</summary>\n\n" + line(heads) +
                     ruler(2, metrics.size()) + '\n';
  for (const CellSummary& cell : summary.cells) {
    for (const SeriesSummary& series : cell.series) {
      Row row{cellTitle(cell), series.label()};
      for (const std::string& metric : metrics) row.push_back(medianOf(series, metric));
      text += line(row);
    }
  }
  return text + "\n</details>\n";
}

std::string groups(const Summary& summary) {
  if (summary.groups.empty()) return {};
  std::string text =
      "\nGroups, geometric means of " + summary.reference + " / engine, more is better:\n\n";
  const auto rows = groupRows(summary);
  text += line(rows.front()) + ruler(1, rows.front().size() - 1) + '\n';
  for (std::size_t i = 1; i < rows.size(); ++i) text += line(rows[i]);
  return text;
}

// Each remark once, with where it holds.
std::string remarks(const Summary& summary) {
  std::string found;
  for (const std::string& note : summary.notes) found += "- " + note + '\n';
  for (const CellSummary& cell : summary.cells) {
    const std::string where = cellTitle(cell);
    for (const Mark& mark : cell.marks) found += "- " + where + ": " + text({mark}) + '\n';
    for (const SeriesSummary& series : cell.series) {
      if (series.marks.empty()) continue;
      found += "- " + where + ", " + series.label() + ": " + text(series.marks) + '\n';
    }
  }
  return found.empty() ? found : "\nRemarks:\n\n" + found;
}

std::string valueAt(const json& environment, const char* place) {
  const json::json_pointer pointer(place);
  if (!environment.contains(pointer)) return "?";
  const json& value = environment.at(pointer);
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string machine(const Plan& plan, const json& environment) {
  return "Penstock " + valueAt(environment, "/build/penstock") + ", profile " + plan.profile +
         ", " + std::to_string(plan.rounds) + " rounds of slices of " + figure(plan.seconds) +
         " s, seed " + std::to_string(plan.seed) + ". " + valueAt(environment, "/cpu/model") +
         ", " + valueAt(environment, "/cpu/cores_online") + " cores, Linux " +
         valueAt(environment, "/kernel/release") + ", " + valueAt(environment, "/build/compiler") +
         ", " + valueAt(environment, "/taken_at") + ".\n";
}

}  // namespace

// The verdicts, then what makes them doubtful, then all the rest.
std::string markdownReport(const Summary& summary, const Plan& plan, const json& environment) {
  std::string text = "## io_uring against epoll\n\n" + machine(plan, environment) + '\n';
  text += verdicts(summary);
  for (const std::string& sentence : summary.sentences) text += "- " + sentence + '\n';
  text += '\n';
  for (const Mark& mark : summary.marks)
    text += "> **" + std::string(compare::nameOf(mark.grade)) + "** " + mark.reason + "  \n";
  if (!summary.marks.empty()) text += '\n';
  text += "sees: the smallest difference that could have been told apart.\n\nEngines: " +
          enginesText(summary) + ".\n\n" + figures(summary) + groups(summary) + remarks(summary) +
          allFigures(summary);
  return text;
}

}  // namespace penstock::compare
