// LoadResult: what a load generator saw of one server, slice by slice.
#pragma once

#include <penstock/bench/compare/histogram.h>
#include <penstock/bench/compare/usage.h>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace penstock::compare {

// One turn of a server, from drained to drained.
struct Slice {
  double units = 0;
  double seconds = 0;
  Usage server;
  std::int64_t clientCpuNs = 0;
  double underWay = 0;  // Units, when no more were started.
  // Of the units of this slice, in nanoseconds; 0 where latency has no meaning.
  std::uint64_t p50Ns = 0;
  std::uint64_t p99Ns = 0;

  // The server's, with what the kernel put off to ksoftirqd of its core.
  std::int64_t cpuNs() const noexcept { return server.cpuNs + server.softirqNs; }
};

struct LoadResult {
  std::vector<Slice> slices;    // By round.
  double totalUnits = 0;        // With those outside of slices.
  std::int64_t openedAtNs = 0;  // CLOCK_REALTIME when the last slice began.
  int clientCore = -1;
  Memory serverMemory;           // After the last slice, all connections open.
  std::int64_t socketBytes = 0;  // In TCP buffers then, of the whole machine.
  std::string kernelBackend;     // kernelBackendOf() the server then.
  // Of all slices; none where the machine does not count them.
  std::optional<std::uint64_t> instructions;
  std::optional<std::uint64_t> cycles;
  Histogram latency;   // Of each unit, in nanoseconds; empty where it has no meaning.
  Histogram lateness;  // How long after its time each unit of an open loop was started.
  std::uint64_t checkedBytes = 0;
  std::uint64_t wrongBytes = 0;         // Of the first wrong part: how many bytes differ.
  std::map<std::string, double> extra;  // Figures of this workload alone, by metric name.
  std::string error;                    // Why it is worth nothing; empty: it is fine.

  double units() const noexcept;  // Of all slices.

  // Another server's, as further rounds; of what has no rounds the larger, or what was the last.
  void add(const LoadResult& other);
};

nlohmann::json toJson(const LoadResult& result);
LoadResult resultFromJson(const nlohmann::json& json);

}  // namespace penstock::compare
