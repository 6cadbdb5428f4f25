#include <penstock/bench/compare/report/difference.h>
#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/text_table.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace penstock::compare {
namespace {

using nlohmann::json;

struct Change {
  std::string where;
  Comparison comparison;
  Row row;
};

const CellSummary* findCell(const Summary& summary, const Cell& cell) {
  const auto found = std::find_if(summary.cells.begin(), summary.cells.end(),
                                  [&cell](const CellSummary& each) { return each.cell == cell; });
  return found == summary.cells.end() ? nullptr : &*found;
}

double noiseOf(const Summary& summary, const CellSummary& cell) {
  const double own = cell.pairRatio ? std::abs(std::log(*cell.pairRatio)) : 0;
  return std::max(summary.noiseFloor, own);
}

Change changeOf(const CellSummary& cell, const SeriesSummary& before, const SeriesSummary& after,
                double noiseFloor, std::uint64_t seed) {
  const std::string metric = primaryMetric(cell.cell);
  Change change;
  change.where = before.engine + " for " + cell.cell.workload + " of " + cell.description;
  change.comparison = compareSeries(after, before, metric, noiseFloor, seed);
  change.row = {cell.cell.workload + ": " + cell.description,
                before.engine,
                figure(*before.find(metric)),
                figure(*after.find(metric)),
                unitOf(metric, cell.cell),
                ratioText(change.comparison),
                std::string(nameOf(std::max(worst(before.marks), worst(after.marks))))};
  return change;
}

std::vector<Change> changesOf(const Summary& before, const Summary& after, std::uint64_t seed) {
  std::vector<Change> changes;
  for (const CellSummary& old : before.cells) {
    const CellSummary* cell = findCell(after, old.cell);
    if (cell == nullptr) continue;
    const std::string metric = primaryMetric(old.cell);
    const double noise = std::max(noiseOf(before, old), noiseOf(after, *cell));
    for (const SeriesSummary& series : old.series) {
      const SeriesSummary* other = series.again ? nullptr : cell->find(series.engine);
      if (other == nullptr || !series.find(metric) || !other->find(metric)) continue;
      changes.push_back(changeOf(old, series, *other, noise, seed));
    }
  }
  return changes;
}

// What makes a difference between two results something else than the library's doing.
std::string circumstances(const json& before, const json& after) {
  constexpr std::array kPlaces{"/build/penstock", "/build/compiler", "/build/flags",
                               "/kernel/release", "/cpu/model",      "/cpu/cores_online",
                               "/cpu/governor",   "/clock",          "/container/seccomp_mode"};
  std::string text;
  for (const char* place : kPlaces) {
    const json::json_pointer pointer(place);
    const json one = before.contains(pointer) ? before.at(pointer) : json();
    const json other = after.contains(pointer) ? after.at(pointer) : json();
    if (one == other) continue;
    text += "Differs: " + std::string(place + 1) + ": " + one.dump() + " and then " + other.dump() +
            '\n';
  }
  return text;
}

std::string conclusion(const std::vector<Change>& changes) {
  std::string text;
  std::size_t same = 0;
  for (const Change& change : changes) {
    if (!change.comparison.claimed) {
      ++same;
      continue;
    }
    text +=
        change.where + ": the second needs " + ratioText(change.comparison) + " of the first.\n";
  }
  return text + "No difference in " + std::to_string(same) + " of " +
         std::to_string(changes.size()) + ".\n";
}

}  // namespace

std::string differenceOf(const Result& before, const Result& after) {
  const Summary one = analyse(before.outcome, before.machineMarks);
  const Summary two = analyse(after.outcome, after.machineMarks);
  const auto changes = changesOf(one, two, before.outcome.plan.seed);
  if (changes.empty()) throw BadRequest("the two results have no cell and engine in common");
  std::vector<Row> rows{{"workload", "engine", "first", "second", "unit", "second/first", ""}};
  for (const Change& change : changes) rows.push_back(change.row);
  return laidOut(rows, "") + '\n' + circumstances(before.environment, after.environment) +
         conclusion(changes);
}

}  // namespace penstock::compare
