// Engines: the servers that can be compared, and which of them are here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace penstock::compare {

struct Engine {
  std::string name;     // "penstock-uring"
  std::string program;  // Of the programs built with this one.
  std::vector<std::string> arguments;
  std::string backend;  // What it claims to run on: "io_uring" or "epoll", the kernel's names.
  std::string package;  // What Debian calls what it is built with; empty: nothing.
  std::vector<std::string> workloads{};  // What it is here for; empty: all.
  bool mixesBackends = false;            // It may have a ring besides, for other ends than bytes.

  bool isPenstock() const { return name.starts_with("penstock-"); }
  bool serves(const std::string& workload) const;
};

// In the order of the reports.
const std::vector<Engine>& engines();
// Null if there is none of that name.
const Engine* findEngine(std::string_view name);

// Where a program of the benchmark is: beside this executable, in the build tree it came from, or
// where it was installed; a path is taken as it is. Empty if it is nowhere.
std::string locateProgram(std::string_view program);

// Why `engine` cannot run here, as a sentence with the remedy; empty: it can.
std::string whyUnavailable(const Engine& engine);

}  // namespace penstock::compare
