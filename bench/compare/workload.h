// Workload: one kind of traffic, from both sides, and where in its space it is measured.
#pragma once

#include <penstock/bench/compare/cell.h>
#include <penstock/bench/compare/load/load.h>
#include <penstock/runtime/reactor.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::compare {

// How much of a workload's space a run visits.
enum class Profile { kQuick, kStandard, kFull, kSpeed };

// "quick", "default", "full", "speed".
std::string_view nameOf(Profile profile) noexcept;

// What a server is started with for a cell: its own --workload, and what that needs.
struct Service {
  std::string name;         // "echo", "sink", …: what servers know.
  std::string peersName{};  // What others than Penstock are asked for; empty: the same.
  bool callsBack = false;   // It connects to the load generator (--to).
  std::vector<std::string> arguments{};
};

// All of a workload that the tool needs to know. Adding one means adding one file that has a
// WorkloadRegistration, and perhaps a ServiceRegistration, and nothing else.
struct Workload {
  std::string name;
  int rank = 100;       // Reports show lower ones first.
  std::string unit;     // What is counted: "message", "MiB", "connection".
  std::string purpose;  // One sentence for the reports.

  // The metric that the closing sentences compare, and how they say it.
  std::string primary = "cpu_us";
  bool hasLatency = true;
  bool sendsMessages = true;  // The load generator's client matters.

  // The cells of a profile, saturated ones and, for each that is to be repeated in an open loop,
  // that cell with a load.
  std::function<std::vector<Cell>(Profile)> cells;
  std::function<std::string(const Cell&)> describe;  // "64 B at 50 connections"
  std::function<Service(const Cell&)> service;
  std::function<std::unique_ptr<Load>(const LoadRequest&)> makeLoad;
};

// The metric that `cell` is about.
std::string primaryMetric(const Cell& cell);

// Whether the servers of `cell` take turns in slices. Where it is about memory, which repeats well,
// each has the machine to itself, once.
bool takesTurns(const Cell& cell);
// Whether `metric` is such a one.
bool isMemory(std::string_view metric) noexcept;

// All workloads, by rank.
const std::vector<Workload>& workloads();
// Null if there is none of that name.
const Workload* findWorkload(std::string_view name);

struct WorkloadRegistration {
  explicit WorkloadRegistration(Workload workload);
};

// The library's side of a service; what penstock-bench-server runs.
struct ServiceOptions {
  std::size_t size = 64;
  unsigned workUs = 0;
  std::string to;  // "127.0.0.1:4711"
};
using MakeService = std::function<ProtocolFactory(Reactor&, const ServiceOptions&)>;

// Null if there is none of that name.
const MakeService* findService(std::string_view name);

struct ServiceRegistration {
  ServiceRegistration(std::string name, MakeService make);
};

// `cell` three times, at 50, 75 and 90 % of its capacity.
std::vector<Cell> openLoop(const Cell& cell);
// Those of each of `cells`, behind them.
std::vector<Cell> withOpenLoops(std::vector<Cell> all, const std::vector<Cell>& cells);

}  // namespace penstock::compare
