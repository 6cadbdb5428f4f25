// Load: what a workload's client does to one server.
#pragma once

#include <penstock/bench/compare/cell.h>
#include <penstock/bench/compare/histogram.h>
#include <penstock/bench/compare/pattern.h>

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>

namespace penstock::compare {

// A server, as its load sees it.
struct Target {
  std::uint16_t port = 0;  // On 127.0.0.1.
  int listenFd = -1;       // Inherited and listening, for workloads that are called back.
  pid_t server = 0;
};

struct LoadRequest {
  Cell cell;
  Target target;
  double ratePerSecond = 0;  // Units a second in an open loop.
  std::uint64_t seed = 1;
};

// The server did not do what the workload asks for. Ends its part, with the message as reason.
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

// It uses raw system calls and nothing of the library, so that all sides of a comparison meet the
// same client. Several live in one process and take turns: see drive.h.
class Load {
 public:
  virtual ~Load() = default;

  // Connects everything. No traffic yet.
  virtual void connect() = 0;

  // Traffic begins, or goes on after drain().
  virtual void resume() = 0;

  // Handles what happened; waits for it until `untilNs` (CLOCK_MONOTONIC) at most.
  virtual void turn(std::int64_t untilNs) = 0;

  // Starts nothing more, and waits for what is under way. A server that sends without end is held
  // by back-pressure instead: nothing more is read.
  virtual void drain() = 0;

  // Whether the server has accepted and served every connection, so that measuring may begin.
  virtual bool ready() const noexcept { return true; }

  // Once, drained, at the end: what can be told only then.
  virtual void finish() {}

  // Units that are started and not completed, where that tells who is behind.
  virtual double underWay() const noexcept { return 0; }

  // Units so far; cheap, for seeing that something moves.
  virtual double units() const noexcept = 0;
  // The same, exactly, once the load is drained and the server is quiet.
  virtual double settledUnits() const { return units(); }
  virtual std::uint64_t checkedBytes() const noexcept = 0;

  // While set, the server is being measured: latencies are recorded.
  void record(bool on) noexcept { recording_ = on; }
  Histogram& latency() noexcept { return latency_; }
  const Histogram& lateness() const noexcept { return lateness_; }
  const std::map<std::string, double>& extra() const noexcept { return extra_; }

 protected:
  bool recording() const noexcept { return recording_; }
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

}  // namespace penstock::compare
