// Load: what a workload's client does; drive() gives it its time and takes its measure.
#pragma once

#include <penstock/bench/compare/cell.h>
#include <penstock/bench/compare/histogram.h>
#include <penstock/bench/compare/load/sockets.h>
#include <penstock/bench/compare/pattern.h>
#include <penstock/bench/compare/usage.h>

#include <nlohmann/json_fwd.hpp>

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>

namespace penstock::compare {

// What a load generator process is told to do; JSON on its command line.
struct LoadRequest {
  Cell cell;
  std::uint16_t port = 0;  // Of the server, on 127.0.0.1.
  int listenFd = -1;       // Inherited and listening, for workloads that are called back.
  pid_t server = 0;
  int serverCore = 0;
  double ratePerSecond = 0;  // Units a second in an open loop.
  double warmUpSeconds = 0.15;
  double seconds = 0.5;
  std::uint64_t seed = 1;
  bool marksWindow = false;          // Sends the server SIGUSR1 at both ends of the window.
  std::string client{kEpollClient};  // The Sockets of workloads that send messages.
};

// What it saw; JSON on its standard output.
struct LoadResult {
  double units = 0;             // In the measured window.
  double totalUnits = 0;        // With those before and after it.
  double seconds = 0;           // The length of the window.
  std::int64_t openedAtNs = 0;  // CLOCK_REALTIME when it opened.
  std::int64_t clientCpuNs = 0;
  int clientCore = -1;
  Usage server;
  Memory serverMemory;           // Right after the window, all connections open.
  std::int64_t socketBytes = 0;  // In TCP buffers then, of the whole machine.
  std::string kernelBackend;     // kernelBackendOf() the server then.
  // In the window; none where the machine does not count them.
  std::optional<std::uint64_t> instructions;
  std::optional<std::uint64_t> cycles;
  Histogram latency;   // Of each unit, in nanoseconds; empty where it has no meaning.
  Histogram lateness;  // How long after its time each unit of an open loop was started.
  std::uint64_t checkedBytes = 0;
  std::uint64_t wrongBytes = 0;         // Of the first wrong part: how many bytes differ.
  std::map<std::string, double> extra;  // Figures of this workload alone, by metric name.
  std::string error;                    // Why the sample is worth nothing; empty: it is fine.
};

nlohmann::json toJson(const LoadRequest& request);
LoadRequest requestFromJson(const nlohmann::json& json);
nlohmann::json toJson(const LoadResult& result);
LoadResult resultFromJson(const nlohmann::json& json);

// The server did not do what the workload asks for. Ends the sample, with the message as reason.
class ServerFault : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The server sent other bytes than it should have.
class WrongBytes final : public ServerFault {
 public:
  WrongBytes(std::uint64_t position, std::uint64_t differing);
  std::uint64_t differing() const noexcept { return differing_; }

 private:
  std::uint64_t differing_;
};

// Throws WrongBytes unless `count` bytes at `bytes`, which are those of the connection's stream
// from `streamed` on, are those of `pattern` from `position` on.
void requireMatch(const Pattern& pattern, std::uint64_t position, std::uint64_t streamed,
                  const std::byte* bytes, std::size_t count);

// One process runs one load. It uses raw system calls and nothing of the library, so that both
// sides of a comparison meet the same client.
class Load {
 public:
  virtual ~Load() = default;

  // Connects everything and starts the traffic.
  virtual void start() = 0;

  // Handles what happened; waits for it until `untilNs` (CLOCK_MONOTONIC) at most.
  virtual void turn(std::int64_t untilNs) = 0;

  // Whether the server has accepted and served every connection, so that measuring may begin.
  virtual bool ready() const noexcept { return true; }

  // Between these two calls is the measured window.
  virtual void windowOpens() {}
  virtual void windowCloses() {}

  // After the window: waits for what is under way where that tells whether bytes were lost.
  virtual void finish() {}

  // Units completed so far; bytes checked so far.
  virtual double units() const noexcept = 0;
  virtual std::uint64_t checkedBytes() const noexcept = 0;

  // Latencies are recorded while this is set.
  void record(bool on) noexcept { recording_ = on; }
  const Histogram& latency() const noexcept { return latency_; }
  const Histogram& lateness() const noexcept { return lateness_; }
  const std::map<std::string, double>& extra() const noexcept { return extra_; }

 protected:
  void recordLatency(std::int64_t ns) noexcept {
    if (recording_) latency_.record(static_cast<std::uint64_t>(ns > 0 ? ns : 0));
  }
  void recordLateness(std::int64_t ns) noexcept {
    if (recording_) lateness_.record(static_cast<std::uint64_t>(ns > 0 ? ns : 0));
  }
  void setExtra(const std::string& metric, double value) { extra_[metric] = value; }

 private:
  bool recording_ = false;
  Histogram latency_;
  Histogram lateness_;
  std::map<std::string, double> extra_;
};

// Warms up, measures, finishes. Never throws: what went wrong is in the result's `error`.
LoadResult drive(Load& load, const LoadRequest& request) noexcept;

}  // namespace penstock::compare
