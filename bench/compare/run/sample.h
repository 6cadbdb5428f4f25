// Sample: one engine at one cell, once.
#pragma once

#include <penstock/bench/compare/cell.h>
#include <penstock/bench/compare/load/load.h>
#include <penstock/bench/compare/run/engines.h>
#include <penstock/bench/compare/run/server.h>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
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
  const Engine* engine = nullptr;
  double ratePerSecond = 0;
  double warmUpSeconds = 0.15;
  double seconds = 0.5;
  std::uint64_t seed = 1;
  Cores cores;
  std::string client{kEpollClient};
  std::vector<std::string> prefix;  // In front of the server's command line: a tracer.
  bool counts = false;              // A server of ours counts its calls in the window.
};

struct Sample {
  LoadResult load;
  std::string version;  // What the server said of itself.
  std::string printedBackend;
  std::string lastLine{};  // What it wrote at its end; kept by nobody.
  std::string fault;       // Why it counts for nothing; empty: it counts.
  bool notServed = false;  // The engine has no such workload.
};

// Starts a server, loads it, and ends it. Throws only what is the tool's own trouble; what the
// server does wrong is in the sample.
Sample takeSample(const SampleRequest& request);

// What is worked out of a sample, by metric name; what does not apply is not there.
using Metrics = std::map<std::string, double>;
Metrics metricsOf(const Workload& workload, const Sample& sample);

// What a metric is called in the reports, and whether more of it is better.
struct MetricInfo {
  std::string_view name;
  std::string_view title;
  std::string_view unit;  // "{}" stands for the workload's own unit.
  bool moreIsBetter;
};
const MetricInfo& infoOf(std::string_view metric);

nlohmann::json toJson(const Sample& sample);
Sample sampleFromJson(const nlohmann::json& json);

}  // namespace penstock::compare
