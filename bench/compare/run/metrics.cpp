#include <penstock/bench/compare/run/sample.h>

#include <algorithm>
#include <array>

namespace penstock::compare {
namespace {

constexpr double kNsPerUs = 1000;
constexpr double kMiB = 1024.0 * 1024.0;

constexpr std::array kInfos{
    MetricInfo{"rate", "throughput", "{}/s", true},
    MetricInfo{"cpu_us", "CPU", "us/{}", false},
    MetricInfo{"user_us", "user CPU", "us/{}", false},
    MetricInfo{"system_us", "system CPU", "us/{}", false},
    MetricInfo{"worker_share", "CPU in kernel workers", "share", false},
    MetricInfo{"server_core", "server's core in use", "share", true},
    MetricInfo{"client_core", "client's core in use", "share", false},
    MetricInfo{"p50_us", "latency p50", "us", false},
    MetricInfo{"p90_us", "latency p90", "us", false},
    MetricInfo{"p99_us", "latency p99", "us", false},
    MetricInfo{"p999_us", "latency p99.9", "us", false},
    MetricInfo{"max_us", "latency max", "us", false},
    MetricInfo{"late_p50_us", "messages started late p50", "us", false},
    MetricInfo{"late_p99_us", "messages started late p99", "us", false},
    MetricInfo{"switches", "context switches", "per {}", false},
    MetricInfo{"instructions", "instructions", "per {}", false},
    MetricInfo{"cycles", "cycles", "per {}", false},
    MetricInfo{"calls", "system calls", "per {}", false},
    MetricInfo{"batch", "units for each wait", "{}", true},
    MetricInfo{"events", "events for each wait", "", true},
    MetricInfo{"short_writes", "short writes", "per 1000 {}", false},
    MetricInfo{"buffers_exhausted", "reads without a buffer", "per 1000 {}", false},
    MetricInfo{"queue_overflows", "completion queue overflows", "per 1000 {}", false},
    MetricInfo{"socket_mib", "bytes in sockets, both ends", "MiB", false},
    MetricInfo{"resident_mib", "resident memory", "MiB", false},
    MetricInfo{"peak_mib", "peak memory", "MiB", false},
    MetricInfo{"idle_bytes", "memory per idle connection", "B", false},
    MetricInfo{"used_bytes", "the same after one message each", "B", false},
    MetricInfo{"kernel_bytes", "kernel memory per connection, both ends", "B", false},
    MetricInfo{"growth_mib", "memory grown under a slow sink", "MiB", false},
    MetricInfo{"backlog_messages", "messages under way at the end of a slice", "", false},
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
  static constexpr MetricInfo kUnknown{"", "", "", false};
  const auto found = std::find_if(kInfos.begin(), kInfos.end(),
                                  [metric](const MetricInfo& info) { return info.name == metric; });
  return found == kInfos.end() ? kUnknown : *found;
}

}  // namespace penstock::compare
