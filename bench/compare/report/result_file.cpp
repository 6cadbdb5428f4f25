#include <penstock/bench/compare/report/result_file.h>
#include <penstock/bench/compare/run/sentences.h>

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace penstock::compare {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "penstock-compare";

json toJson(const std::vector<Mark>& marks) {
  json array = json::array();
  for (const Mark& mark : marks) {
    array.push_back({{"grade", nameOf(mark.grade)}, {"reason", mark.reason}});
  }
  return array;
}

json toJson(const Estimate& estimate) {
  return {{"median", estimate.median},
          {"low", estimate.interval.low},
          {"high", estimate.interval.high}};
}

json toJson(const SeriesSummary& series) {
  json metrics = json::object();
  for (const auto& [metric, estimate] : series.metrics) metrics[metric] = toJson(estimate);
  return {{"engine", series.engine},       {"again", series.again},
          {"served", series.served},       {"valid", series.valid()},
          {"metrics", std::move(metrics)}, {"marks", toJson(series.marks)}};
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
  json summary{{"cell", nameOf(cell.cell)},
               {"description", cell.description},
               {"series", json::array()},
               {"comparisons", json::array()},
               {"marks", toJson(cell.marks)}};
  const Comparison* pair = cell.pair(primaryMetric(cell.cell));
  summary["pair_ratio"] = pair != nullptr ? json(pair->ratio().median) : json(nullptr);
  const Comparison* main = cell.main();
  summary["verdict"] = main != nullptr ? json(wordsOf(*main)) : json(nullptr);
  summary["sees"] = main != nullptr ? orNull(main->verdict.sees) : json(nullptr);
  for (const SeriesSummary& series : cell.series) summary["series"].push_back(toJson(series));
  for (const auto& each : cell.comparisons) summary["comparisons"].push_back(toJson(each));
  return summary;
}

json toJson(const Summary& summary) {
  json groups = json::array();
  for (const GroupSummary& group : summary.groups) {
    groups.push_back({{"group", group.group},
                      {"engine", group.engine},
                      {"capacity", toJson(group.mean.comparison.ratio())},
                      {"verdict", wordsOf(group.mean.comparison)},
                      {"cells", group.mean.cells},
                      {"all_cells", group.mean.allCells}});
  }
  json cells = json::array();
  for (const CellSummary& cell : summary.cells) cells.push_back(toJson(cell));
  json engines = json::array();
  for (const EngineSummary& engine : summary.engines) {
    engines.push_back(
        {{"name", engine.name}, {"version", engine.version}, {"backend", engine.backend}});
  }
  return {{"reference", summary.reference}, {"engines", std::move(engines)},
          {"cells", std::move(cells)},      {"groups", std::move(groups)},
          {"marks", toJson(summary.marks)}, {"sentences", summary.sentences}};
}

json toJson(const CellResult& result) {
  json series = json::array();
  for (const Series& each : result.series) {
    series.push_back({{"engine", each.engine},
                      {"again", each.again},
                      {"system_calls", compare::toJson(each.systemCalls)},
                      {"sample", compare::toJson(each.sample)}});
  }
  return {{"cell", compare::toJson(result.cell)},
          {"offered_rate", result.ratePerSecond},
          {"wanted_rate", result.wantedRate},
          {"series", std::move(series)}};
}

Series seriesFromJson(const json& from) {
  Series series;
  from.at("engine").get_to(series.engine);
  from.at("again").get_to(series.again);
  series.systemCalls = systemCallsFromJson(from.at("system_calls"));
  series.sample = sampleFromJson(from.at("sample"));
  return series;
}

CellResult cellResultFromJson(const json& from) {
  CellResult result;
  result.cell = cellFromJson(from.at("cell"));
  from.at("offered_rate").get_to(result.ratePerSecond);
  from.at("wanted_rate").get_to(result.wantedRate);
  for (const auto& series : from.at("series")) result.series.push_back(seriesFromJson(series));
  return result;
}

std::vector<Mark> marksFromJson(const json& from) {
  std::vector<Mark> marks;
  for (const auto& mark : from) {
    const bool invalid = mark.at("grade") == nameOf(Grade::kInvalid);
    marks.push_back({invalid ? Grade::kInvalid : Grade::kWarn, mark.at("reason")});
  }
  return marks;
}

Result wholeFromJson(const json& from) {
  Result result;
  result.environment = from.at("environment");
  result.outcome.plan = planFromJson(from.at("plan"));
  from.at("complete").get_to(result.outcome.complete);
  from.at("notes").get_to(result.outcome.notes);
  result.machineMarks = marksFromJson(from.at("machine_marks"));
  for (const auto& cell : from.at("cells")) {
    result.outcome.cells.push_back(cellResultFromJson(cell));
  }
  return result;
}

void checkForm(const json& from, const std::string& path) {
  if (!from.is_object() || from.value("format", "") != kFormat) {
    throw BadRequest(path + " is not a result of penstock compare");
  }
  const json version = from.value("version", json());
  if (version == kResultVersion) return;
  throw BadRequest(path + " has version " + version.dump() + "; this program reads version " +
                   std::to_string(kResultVersion));
}

// Results that came from elsewhere may name what this program does not know.
void checkNames(const Outcome& outcome, const std::string& path) {
  for (const CellResult& result : outcome.cells) {
    const Workload* workload = findWorkload(result.cell.workload);
    bool known = workload != nullptr;
    for (const Series& series : result.series) known &= findEngine(series.engine) != nullptr;
    if (!known) throw BadRequest(path + " has an engine or workload that this program lacks");
  }
}

}  // namespace

nlohmann::json toJson(const Result& result, const Summary& summary) {
  json cells = json::array();
  for (const CellResult& cell : result.outcome.cells) cells.push_back(toJson(cell));
  return {{"format", kFormat},
          {"version", kResultVersion},
          {"environment", result.environment},
          {"plan", toJson(result.outcome.plan)},
          {"complete", result.outcome.complete},
          {"notes", result.outcome.notes},
          {"machine_marks", toJson(result.machineMarks)},
          {"summary", toJson(summary)},
          {"cells", std::move(cells)}};
}

std::string textOf(const nlohmann::json& result) {
  constexpr int kOneLine = -1;
  return result.dump(kOneLine, ' ', false, json::error_handler_t::replace) + '\n';
}

Result readResult(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw BadRequest("cannot read " + path + ": " + std::strerror(errno));
  std::ostringstream text;
  text << file.rdbuf();
  const json parsed = json::parse(text.str(), nullptr, false);
  checkForm(parsed, path);
  try {
    Result result = wholeFromJson(parsed);
    checkNames(result.outcome, path);
    return result;
  } catch (const json::exception&) {
    throw BadRequest(path + " is damaged: it does not have the form of its version");
  }
}

void writeFile(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (!file) throw std::runtime_error("cannot write " + path + ": " + std::strerror(errno));
}

}  // namespace penstock::compare
