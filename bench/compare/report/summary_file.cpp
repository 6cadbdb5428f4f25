#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/summary_file.h>
#include <penstock/bench/compare/report/table.h>
#include <penstock/bench/compare/run/sentences.h>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace penstock::compare {
namespace {

using nlohmann::json;

json toJson(const Estimate& estimate) {
  return {{"median", estimate.median},
          {"low", estimate.interval.low},
          {"high", estimate.interval.high}};
}

json toJson(const SeriesSummary& series, const CellSummary& cell) {
  json metrics = json::object();
  for (const auto& [metric, estimate] : series.metrics) metrics[metric] = toJson(estimate);
  return {{"engine", series.engine}, {"label", series.label()},
          {"again", series.again},   {"served", series.served},
          {"valid", series.valid()}, {"status", status(series, cell)},
          {"metrics", metrics},      {"marks", toJson(series.marks)}};
}

json orNull(const std::optional<double>& value) { return value ? json(*value) : json(nullptr); }

json toJson(const Comparison& comparison) {
  return {{"of", comparison.of},
          {"against", comparison.against},
          {"metric", comparison.metric},
          {"ratio", toJson(comparison.ratio())},
          {"rounds", comparison.verdict.rounds},
          {"valid", comparison.valid},
          {"verdict", wordsOf(comparison)},
          {"sees", orNull(comparison.verdict.sees)}};
}

json toJson(const CellSummary& cell) {
  const Comparison* main = cell.main();
  const Comparison* pair = cell.pair(primaryMetric(cell.cell));
  json summary{{"cell", nameOf(cell.cell)},
               {"title", cellTitle(cell)},
               {"description", cell.description},
               {"metric", primaryMetric(cell.cell)},
               {"main", main != nullptr ? toJson(*main) : json(nullptr)},
               {"verdict", main != nullptr ? json(wordsOf(*main)) : json(nullptr)},
               {"sees", main != nullptr ? orNull(main->verdict.sees) : json(nullptr)},
               {"pair_ratio", pair != nullptr ? json(pair->ratio().median) : json(nullptr)},
               {"series", json::array()},
               {"comparisons", json::array()},
               {"marks", toJson(cell.marks)}};
  for (const SeriesSummary& series : cell.series) summary["series"].push_back(toJson(series, cell));
  for (const auto& each : cell.comparisons) summary["comparisons"].push_back(toJson(each));
  return summary;
}

json toJson(const std::vector<GroupSummary>& groups) {
  json array = json::array();
  for (const GroupSummary& group : groups) {
    array.push_back({{"group", group.group},
                     {"engine", group.engine},
                     {"capacity", toJson(group.mean.comparison.ratio())},
                     {"verdict", wordsOf(group.mean.comparison)},
                     {"cells", group.mean.cells},
                     {"all_cells", group.mean.allCells}});
  }
  return array;
}

json toJson(const std::vector<EngineSummary>& engines) {
  json array = json::array();
  for (const EngineSummary& engine : engines) {
    array.push_back(
        {{"name", engine.name}, {"version", engine.version}, {"backend", engine.backend}});
  }
  return array;
}

bool isMeasured(const Summary& summary, const Workload& workload) {
  return std::any_of(summary.cells.begin(), summary.cells.end(),
                     [&workload](const auto& cell) { return cell.cell.workload == workload.name; });
}

// The metrics that any series has a figure of, in the order of columns.
json metricsOf(const Summary& summary) {
  json array = json::array();
  for (const MetricInfo& metric : metricInfos()) {
    const std::string name(metric.name);
    const bool known =
        std::any_of(summary.cells.begin(), summary.cells.end(), [&name](const CellSummary& cell) {
          return std::any_of(cell.series.begin(), cell.series.end(),
                             [&name](const auto& series) { return series.find(name); });
        });
    if (known) array.push_back({{"name", name}, {"title", metric.title}, {"unit", metric.unit}});
  }
  return array;
}

json workloadsOf(const Summary& summary) {
  json array = json::array();
  for (const Workload& workload : workloads()) {
    if (!isMeasured(summary, workload)) continue;
    array.push_back(
        {{"name", workload.name}, {"purpose", workload.purpose}, {"unit", workload.unit}});
  }
  return array;
}

}  // namespace

json toJson(const std::vector<Mark>& marks) {
  json array = json::array();
  for (const Mark& mark : marks) {
    array.push_back({{"grade", nameOf(mark.grade)}, {"reason", mark.reason}});
  }
  return array;
}

json toJson(const Summary& summary) {
  json cells = json::array();
  for (const CellSummary& cell : summary.cells) cells.push_back(toJson(cell));
  return {{"reference", summary.reference}, {"engines", toJson(summary.engines)},
          {"metrics", metricsOf(summary)},  {"workloads", workloadsOf(summary)},
          {"cells", std::move(cells)},      {"groups", toJson(summary.groups)},
          {"marks", toJson(summary.marks)}, {"sentences", summary.sentences}};
}

}  // namespace penstock::compare
