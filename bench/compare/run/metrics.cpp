#include <penstock/bench/compare/run/sample.h>

#include <algorithm>
#include <array>

namespace penstock::compare {
namespace {

constexpr double kNsPerUs = 1000;
constexpr double kMiB = 1024.0 * 1024.0;

constexpr std::array kInfos{
    MetricInfo{"cpu_us", "CPU", "us/{}"},
    MetricInfo{"user_us", "user CPU", "us/{}"},
    MetricInfo{"system_us", "system CPU", "us/{}"},
    MetricInfo{"worker_share", "CPU in kernel workers", "share"},
    MetricInfo{"rate", "throughput", "{}/s"},
    MetricInfo{"p50_us", "latency p50", "us"},
    MetricInfo{"p90_us", "latency p90", "us"},
    MetricInfo{"p99_us", "latency p99", "us"},
    MetricInfo{"p999_us", "latency p99.9", "us"},
    MetricInfo{"max_us", "latency max", "us"},
    MetricInfo{"late_p50_us", "messages started late p50", "us"},
    MetricInfo{"late_p99_us", "messages started late p99", "us"},
    MetricInfo{"calls", "system calls", "per {}"},
    MetricInfo{"batch", "units for each wait", "{}"},
    MetricInfo{"events", "events for each wait", ""},
    MetricInfo{"short_writes", "short writes", "per 1000 {}"},
    MetricInfo{"buffers_exhausted", "reads without a buffer", "per 1000 {}"},
    MetricInfo{"switches", "context switches", "per {}"},
    MetricInfo{"server_core", "server's core in use", "share"},
    MetricInfo{"client_core", "client's core in use", "share"},
    MetricInfo{"queue_overflows", "completion queue overflows", "per 1000 {}"},
    MetricInfo{"instructions", "instructions", "per {}"},
    MetricInfo{"cycles", "cycles", "per {}"},
    MetricInfo{"resident_mib", "resident memory", "MiB"},
    MetricInfo{"peak_mib", "peak memory", "MiB"},
    MetricInfo{"socket_mib", "bytes in sockets, both ends", "MiB"},
    MetricInfo{"idle_bytes", "memory per idle connection", "B"},
    MetricInfo{"used_bytes", "the same after one message each", "B"},
    MetricInfo{"kernel_bytes", "kernel memory per connection, both ends", "B"},
    MetricInfo{"growth_mib", "memory grown under a slow sink", "MiB"},
    MetricInfo{"backlog_messages", "messages under way at the end of a slice", ""},
};

void addLatency(const Histogram& latency, Metrics& metrics) {
  const auto us = [&latency](double percent) {
    return static_cast<double>(latency.percentile(percent)) / kNsPerUs;
  };
  metrics["p90_us"] = us(90);
  metrics["p999_us"] = us(99.9);
  metrics["max_us"] = static_cast<double>(latency.largest()) / kNsPerUs;
}

// Sums over slices.
struct Sums {
  double units = 0;
  double cpuNs = 0;
  double windowNs = 0;
  double clientNs = 0;
  double workerNs = 0;
  double switches = 0;
  double userTicks = 0;
  double systemTicks = 0;
  double underWay = 0;

  void add(const Slice& slice) {
    units += slice.units;
    cpuNs += static_cast<double>(slice.cpuNs());
    windowNs += slice.seconds * 1e9;
    clientNs += static_cast<double>(slice.clientCpuNs);
    workerNs += static_cast<double>(slice.server.workerNs);
    switches += static_cast<double>(slice.server.voluntary + slice.server.involuntary);
    userTicks += static_cast<double>(slice.server.userTicks);
    systemTicks += static_cast<double>(slice.server.systemTicks);
    underWay += slice.underWay;
  }
};

// The precise CPU time, divided as the clock ticks of all slices together say: those of one are a
// handful.
void addUserAndSystem(const Sums& sums, Metrics& metrics) {
  const double ticks = sums.userTicks + sums.systemTicks;
  if (ticks <= 0) return;
  const double cpuUs = sums.cpuNs / kNsPerUs / sums.units;
  metrics["user_us"] = cpuUs * sums.userTicks / ticks;
  metrics["system_us"] = cpuUs * sums.systemTicks / ticks;
}

void addSums(const LoadResult& load, Metrics& metrics) {
  Sums sums;
  for (const Slice& slice : load.slices) sums.add(slice);
  if (sums.units <= 0) return;
  addUserAndSystem(sums, metrics);
  if (sums.cpuNs > 0) metrics["worker_share"] = sums.workerNs / sums.cpuNs;
  metrics["switches"] = sums.switches / sums.units;
  metrics["backlog_messages"] = sums.underWay / static_cast<double>(load.slices.size());
  metrics["server_core"] = sums.cpuNs / sums.windowNs;
  metrics["client_core"] = sums.clientNs / sums.windowNs;
  if (load.instructions) metrics["instructions"] = double(*load.instructions) / sums.units;
  if (load.cycles) metrics["cycles"] = double(*load.cycles) / sums.units;
}

}  // namespace

Metrics metricsOf(const Workload& workload, const Slice& slice) {
  Metrics metrics;
  if (slice.units <= 0 || slice.seconds <= 0) return metrics;
  metrics["cpu_us"] = static_cast<double>(slice.cpuNs()) / kNsPerUs / slice.units;
  metrics["rate"] = slice.units / slice.seconds;
  if (!workload.hasLatency) return metrics;
  metrics["p50_us"] = static_cast<double>(slice.p50Ns) / kNsPerUs;
  metrics["p99_us"] = static_cast<double>(slice.p99Ns) / kNsPerUs;
  return metrics;
}

Metrics metricsOf(const Workload& workload, const Sample& sample) {
  const LoadResult& load = sample.load;
  Metrics metrics(load.extra.begin(), load.extra.end());
  addSums(load, metrics);
  if (workload.hasLatency) addLatency(load.latency, metrics);
  if (load.lateness.count() > 0) {
    metrics["late_p50_us"] = static_cast<double>(load.lateness.percentile(50)) / kNsPerUs;
    metrics["late_p99_us"] = static_cast<double>(load.lateness.percentile(99)) / kNsPerUs;
  }
  metrics["resident_mib"] = static_cast<double>(load.serverMemory.resident) / kMiB;
  metrics["peak_mib"] = static_cast<double>(load.serverMemory.peak) / kMiB;
  return metrics;
}

const MetricInfo& infoOf(std::string_view metric) {
  static constexpr MetricInfo kUnknown{"", "", ""};
  const auto found = std::find_if(kInfos.begin(), kInfos.end(),
                                  [metric](const MetricInfo& info) { return info.name == metric; });
  return found == kInfos.end() ? kUnknown : *found;
}

std::span<const MetricInfo> metricInfos() noexcept { return kInfos; }

}  // namespace penstock::compare
