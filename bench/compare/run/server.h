// Server: an engine's server process on its core, ready to be measured.
#pragma once

#include <penstock/bench/compare/cell.h>
#include <penstock/bench/compare/run/engines.h>
#include <penstock/bench/compare/run/process.h>
#include <penstock/bench/compare/workload.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace penstock::compare {

// The engine has no such workload: not a fault, but nothing to measure.
class NotServed final : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

class Server {
 public:
  // Starts it and waits until it is ready. `callBackPort`: where a relay is to connect to. Throws
  // NotServed, or std::runtime_error that says why it did not start.
  // The command line begins with `prefix`; one of ours may be told to count: see call_counts.h.
  Server(const Engine& engine, const Workload& workload, const Cell& cell, int core,
         std::uint16_t callBackPort, const std::vector<std::string>& prefix = {},
         bool counts = false);

  std::uint16_t port() const noexcept { return port_; }
  pid_t pid() const noexcept { return process_.pid(); }

  // What it said of itself when it was ready.
  const std::string& version() const noexcept { return version_; }
  const std::string& printedBackend() const noexcept { return printedBackend_; }

  // Ends it with SIGTERM. Empty, or how it ended if that was not cleanly.
  std::string stop();

  // Once it was stopped: the line that it wrote at its end; empty if none.
  std::string lastLine();

 private:
  Process process_;
  std::uint16_t port_ = 0;
  std::string version_;
  std::string printedBackend_;
};

}  // namespace penstock::compare
