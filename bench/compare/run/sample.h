// Sample: one engine at one cell, with all its slices; and how those of one cell are taken
// together.
#pragma once

#include <penstock/bench/compare/cell.h>
#include <penstock/bench/compare/load/load_result.h>
#include <penstock/bench/compare/run/engines.h>
#include <penstock/bench/compare/workload.h>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::compare {

// Which core is whose.
struct Cores {
  int server = 0;
  int client = 1;
};

struct SampleRequest {
  Cell cell;
  std::vector<const Engine*> engines;  // One may be there several times.
  double ratePerSecond = 0;
  double warmUpSeconds = 0.08;
  unsigned rounds = 30;
  double seconds = 0.025;  // Of a slice.
  std::uint64_t seed = 1;
  Cores cores;
  std::vector<std::string> prefix{};  // In front of the servers' command lines: a tracer.
  bool counts = false;                // A server of ours counts its calls in the slices.
};

struct Sample {
  LoadResult load;
  std::string version;  // What the server said of itself.
  std::string printedBackend;
  std::string lastLine{};  // What it wrote at its end; kept by nobody.
  std::string fault;       // Why it counts for nothing; empty: it counts.
  bool notServed = false;  // The engine has no such workload.

  // What another server of the same engine at the same cell has shown, as further rounds.
  void add(const Sample& other);
};

// Starts a server for each engine, has them take turns, and ends them; a sample for each engine.
// `onRound` is called as a round begins. What a server does wrong is in its sample, and what the
// tool does wrong in all. Interrupted, it ends after the round that is under way.
std::vector<Sample> takeSamples(const SampleRequest& request,
                                const std::function<void()>& onRound = {});

// What is worked out of a sample as a whole, by metric name; what does not apply is not there.
using Metrics = std::map<std::string, double>;
Metrics metricsOf(const Workload& workload, const Sample& sample);
// The same of one slice of it.
Metrics metricsOf(const Workload& workload, const Slice& slice);

// What a metric is called.
struct MetricInfo {
  std::string_view name;
  std::string_view title;
  std::string_view unit;  // "{}" stands for the workload's own unit.
};
const MetricInfo& infoOf(std::string_view metric);
// All, in the order of the report's columns.
std::span<const MetricInfo> metricInfos() noexcept;

nlohmann::json toJson(const Sample& sample);
Sample sampleFromJson(const nlohmann::json& json);

}  // namespace penstock::compare
