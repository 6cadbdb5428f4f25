// What the command line says to every serving subcommand.
#pragma once

#include <penstock/runtime/reactor.h>
#include <penstock/runtime/time.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>

namespace CLI {
class App;
}

namespace penstock::tools {

struct ServerOptions {
  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

  std::string listen;
  Backend backend = Backend::kAuto;
  std::uint64_t bytesLimit = kNoLimit;  // Of each connection.
  int verbosity = 0;                    // 1: a line for each connection; 2: one at its start, too.

  // How long sessions may take to flush once a signal has asked for the end.
  Duration drainLimit = std::chrono::seconds(10);
};

// Adds the subcommand `name` with these options; it calls `run` with them once they are parsed.
// Returns it, for options of its own.
CLI::App& addServerCommand(CLI::App& app, const std::string& name, const std::string& description,
                           std::function<void(const ServerOptions&)> run);

}  // namespace penstock::tools
