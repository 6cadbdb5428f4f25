#include <penstock/bench/compare/report/result_file.h>
#include <penstock/bench/compare/report/summary_file.h>

#include <nlohmann/json.hpp>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace penstock::compare {
namespace {

using nlohmann::json;

constexpr const char* kFormat = "penstock-compare";

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
