#include <penstock/bench/compare/report/difference.h>
#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/text_table.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace penstock::compare {
namespace {

using nlohmann::json;

// One metric of one engine at one cell, then and now.
struct Change {
  Cell cell;
  std::string description;
  std::string engine;
  std::string metric;
  const SeriesSummary* before = nullptr;
  const SeriesSummary* after = nullptr;
  std::optional<double> pair;  // What the A/A pairs differ by; none: not known.
  Comparison comparison{};

  double ratio() const { return after->find(metric)->median / before->find(metric)->median; }
};

const CellSummary* findCell(const Summary& summary, const Cell& cell) {
  const auto found = std::find_if(summary.cells.begin(), summary.cells.end(),
                                  [&cell](const CellSummary& each) { return each.cell == cell; });
  return found == summary.cells.end() ? nullptr : &*found;
}

std::vector<std::string> metricsOf(const Cell& cell) {
  std::vector<std::string> metrics{primaryMetric(cell)};
  const auto add = [&metrics](const char* metric) {
    if (metrics.front() != metric) metrics.emplace_back(metric);
  };
  if (!cell.open()) add("rate");
  for (const char* metric : {"p50_us", "p99_us"}) {
    if (cell.open()) add(metric);
  }
  return metrics;
}

// The ratio of the two A/A pairs, whichever lies further apart. Without both there is no telling.
std::optional<double> pairOf(const CellSummary& before, const CellSummary& after,
                             const std::string& metric) {
  double furthest = 1;
  for (const CellSummary* cell : {&before, &after}) {
    const Comparison* pair = cell->pair(metric);
    if (pair == nullptr || !pair->verdict.sees) return std::nullopt;
    const double ratio = std::exp(std::abs(std::log(pair->ratio().median)));
    furthest = std::max(furthest, ratio);
  }
  return furthest;
}

bool hasFigure(const SeriesSummary* series, const std::string& metric) {
  return series != nullptr && series->find(metric) != nullptr && series->find(metric)->median > 0;
}

void addChanges(const CellSummary& old, const CellSummary& cell, std::vector<Change>& changes) {
  for (const std::string& metric : metricsOf(old.cell)) {
    const auto pair = pairOf(old, cell, metric);
    for (const SeriesSummary& series : old.series) {
      const SeriesSummary* other = series.again ? nullptr : cell.find(series.engine);
      if (!hasFigure(&series, metric) || !hasFigure(other, metric)) continue;
      changes.push_back({old.cell, old.description, series.engine, metric, &series, other, pair});
    }
  }
}

// What most of the cells and engines have done together is the machine's or the build's doing.
double shiftOf(const std::vector<Change>& changes, const std::string& metric) {
  std::vector<double> ratios;
  for (const Change& change : changes) {
    if (change.metric == metric) ratios.push_back(std::log(change.ratio()));
  }
  return median(ratios);
}

// There are no rounds to pair: the medians' own intervals must lie apart, by more than the A/A pair
// of either run and than the shift of all.
void judgeChange(double shift, Change& change) {
  constexpr double kLeast = 0.01;
  const Interval& before = change.before->find(change.metric)->interval;
  const Interval& after = change.after->find(change.metric)->interval;
  Comparison& comparison = change.comparison;
  comparison.verdict.ratio = {change.ratio(), {after.low / before.high, after.high / before.low}};
  const bool capacity =
      change.metric == "rate" && (change.before->clientBusy || change.after->clientBusy);
  comparison.valid =
      change.before->valid() && change.after->valid() && !capacity && change.pair.has_value();
  if (!comparison.valid) return;
  judgeInterval(std::max({kLeast, std::abs(shift), std::abs(std::log(*change.pair))}),
                comparison.verdict);
}

std::vector<Change> changesOf(const Summary& before, const Summary& after) {
  std::vector<Change> changes;
  for (const CellSummary& old : before.cells) {
    const CellSummary* cell = findCell(after, old.cell);
    if (cell != nullptr) addChanges(old, *cell, changes);
  }
  for (Change& change : changes) judgeChange(shiftOf(changes, change.metric), change);
  return changes;
}

Row rowOf(const Change& change) {
  const Grade grade = std::max(change.before->grade(), change.after->grade());
  return {change.cell.workload + ": " + change.description,
          change.engine,
          titleOf(change.metric, change.cell),
          figure(*change.before->find(change.metric)),
          figure(*change.after->find(change.metric)),
          (change.comparison.differs() ? "" : "~") + times(change.ratio()),
          std::string(nameOf(grade))};
}

std::string shiftText(const std::vector<Change>& changes) {
  std::vector<std::string> told;
  std::string text;
  for (const Change& change : changes) {
    if (std::find(told.begin(), told.end(), change.metric) != told.end()) continue;
    told.push_back(change.metric);
    text += std::string(text.empty() ? "" : ", ") + std::string(infoOf(change.metric).title) + ' ' +
            times(std::exp(shiftOf(changes, change.metric)));
  }
  return "All cells and engines together (the machine, or the build): " + text + ".\n";
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
  std::size_t others = 0;
  for (const Change& change : changes) {
    if (!change.comparison.differs()) {
      ++others;
      continue;
    }
    text += change.engine + " for " + change.cell.workload + " of " + change.description +
            ": the second result has " + times(change.ratio()) + " the " +
            std::string(infoOf(change.metric).title) + " of the first.\n";
  }
  return text + "Not told apart: " + std::to_string(others) + " of " +
         std::to_string(changes.size()) + ".\n";
}

}  // namespace

std::string differenceOf(const Result& before, const Result& after) {
  const Summary one = analyse(before.outcome, before.machineMarks);
  const Summary two = analyse(after.outcome, after.machineMarks);
  const auto changes = changesOf(one, two);
  if (changes.empty()) throw BadRequest("the two results have no cell and engine in common");
  std::vector<Row> rows{{"workload", "engine", "figure", "first", "second", "second/first", ""}};
  for (const Change& change : changes) rows.push_back(rowOf(change));
  return laidOut(rows, "") + '\n' + circumstances(before.environment, after.environment) +
         shiftText(changes) + conclusion(changes);
}

}  // namespace penstock::compare
