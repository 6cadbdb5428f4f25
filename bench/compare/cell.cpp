#include <penstock/bench/compare/cell.h>

#include <nlohmann/json.hpp>

#include <cmath>

namespace penstock::compare {

Cell Cell::closed() const {
  Cell cell = *this;
  cell.load = 0;
  return cell;
}

std::string nameOf(const Cell& cell) {
  std::string name = cell.workload;
  if (!cell.variant.empty()) name += '/' + cell.variant;
  name += "/c" + std::to_string(cell.connections) + '/' + std::to_string(cell.size) + "/d" +
          std::to_string(cell.depth);
  if (cell.workUs != 0) name += "/w" + std::to_string(cell.workUs);
  if (cell.client != kEpollClient) name += "/ring";
  if (cell.open()) name += '@' + std::to_string(std::lround(cell.load * 100)) + '%';
  return name;
}

std::string sizeText(std::size_t bytes) {
  constexpr std::size_t kKiB = 1024;
  constexpr std::size_t kMiB = kKiB * kKiB;
  if (bytes >= kMiB && bytes % kMiB == 0) return std::to_string(bytes / kMiB) + " MiB";
  if (bytes >= kKiB && bytes % kKiB == 0) return std::to_string(bytes / kKiB) + " KiB";
  return std::to_string(bytes) + " B";
}

nlohmann::json toJson(const Cell& cell) {
  return {{"workload", cell.workload}, {"variant", cell.variant},         {"group", cell.group},
          {"metric", cell.metric},     {"connections", cell.connections}, {"size", cell.size},
          {"depth", cell.depth},       {"work_us", cell.workUs},          {"client", cell.client},
          {"load", cell.load}};
}

Cell cellFromJson(const nlohmann::json& json) {
  Cell cell;
  json.at("workload").get_to(cell.workload);
  json.at("variant").get_to(cell.variant);
  json.at("group").get_to(cell.group);
  json.at("metric").get_to(cell.metric);
  json.at("connections").get_to(cell.connections);
  json.at("size").get_to(cell.size);
  json.at("depth").get_to(cell.depth);
  json.at("work_us").get_to(cell.workUs);
  json.at("client").get_to(cell.client);
  json.at("load").get_to(cell.load);
  return cell;
}

}  // namespace penstock::compare
