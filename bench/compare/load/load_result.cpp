#include <penstock/bench/compare/load/load_result.h>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace penstock::compare {
namespace {

nlohmann::json orNull(const std::optional<std::uint64_t>& value) {
  return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}

std::optional<std::uint64_t> unlessNull(const nlohmann::json& json) {
  if (json.is_null()) return std::nullopt;
  return json.get<std::uint64_t>();
}

nlohmann::json toJson(const Slice& slice) {
  return {{"units", slice.units},           {"seconds", slice.seconds},
          {"server", toJson(slice.server)}, {"client_cpu_ns", slice.clientCpuNs},
          {"under_way", slice.underWay},    {"p50_ns", slice.p50Ns},
          {"p99_ns", slice.p99Ns}};
}

Slice sliceFromJson(const nlohmann::json& json) {
  Slice slice;
  json.at("units").get_to(slice.units);
  json.at("seconds").get_to(slice.seconds);
  slice.server = usageFromJson(json.at("server"));
  json.at("client_cpu_ns").get_to(slice.clientCpuNs);
  json.at("under_way").get_to(slice.underWay);
  json.at("p50_ns").get_to(slice.p50Ns);
  json.at("p99_ns").get_to(slice.p99Ns);
  return slice;
}

}  // namespace

double LoadResult::units() const noexcept {
  double sum = 0;
  for (const Slice& slice : slices) sum += slice.units;
  return sum;
}

void LoadResult::add(const LoadResult& other) {
  const auto addTo = [](std::optional<std::uint64_t>& sum, const auto& more) {
    if (more) sum = sum.value_or(0) + *more;
  };
  slices.insert(slices.end(), other.slices.begin(), other.slices.end());
  totalUnits += other.totalUnits;
  checkedBytes += other.checkedBytes;
  wrongBytes = std::max(wrongBytes, other.wrongBytes);
  latency.merge(other.latency);
  lateness.merge(other.lateness);
  addTo(instructions, other.instructions);
  addTo(cycles, other.cycles);
  serverMemory = {std::max(serverMemory.resident, other.serverMemory.resident),
                  std::max(serverMemory.peak, other.serverMemory.peak)};
  for (const auto& [metric, value] : other.extra) extra[metric] = std::max(extra[metric], value);
  openedAtNs = other.openedAtNs;
  clientCore = other.clientCore;
  socketBytes = other.socketBytes;
  kernelBackend = other.kernelBackend;
  error = other.error;
}

nlohmann::json toJson(const LoadResult& result) {
  auto slices = nlohmann::json::array();
  for (const Slice& slice : result.slices) slices.push_back(toJson(slice));
  return {{"slices", std::move(slices)},
          {"total_units", result.totalUnits},
          {"opened_at_ns", result.openedAtNs},
          {"client_core", result.clientCore},
          {"server_resident", result.serverMemory.resident},
          {"server_peak", result.serverMemory.peak},
          {"socket_bytes", result.socketBytes},
          {"kernel_backend", result.kernelBackend},
          {"instructions", orNull(result.instructions)},
          {"cycles", orNull(result.cycles)},
          {"latency", result.latency.toJson()},
          {"lateness", result.lateness.toJson()},
          {"checked_bytes", result.checkedBytes},
          {"wrong_bytes", result.wrongBytes},
          {"extra", result.extra},
          {"error", result.error}};
}

LoadResult resultFromJson(const nlohmann::json& json) {
  LoadResult result;
  for (const auto& slice : json.at("slices")) result.slices.push_back(sliceFromJson(slice));
  json.at("total_units").get_to(result.totalUnits);
  json.at("opened_at_ns").get_to(result.openedAtNs);
  json.at("client_core").get_to(result.clientCore);
  json.at("server_resident").get_to(result.serverMemory.resident);
  json.at("server_peak").get_to(result.serverMemory.peak);
  json.at("socket_bytes").get_to(result.socketBytes);
  json.at("kernel_backend").get_to(result.kernelBackend);
  result.instructions = unlessNull(json.at("instructions"));
  result.cycles = unlessNull(json.at("cycles"));
  result.latency = Histogram::fromJson(json.at("latency"));
  result.lateness = Histogram::fromJson(json.at("lateness"));
  json.at("checked_bytes").get_to(result.checkedBytes);
  json.at("wrong_bytes").get_to(result.wrongBytes);
  json.at("extra").get_to(result.extra);
  json.at("error").get_to(result.error);
  return result;
}

}  // namespace penstock::compare
