#include <penstock/runtime/backends.h>
#include <penstock/tools/server_options.h>

#include <CLI/CLI.hpp>

#include <chrono>
#include <memory>
#include <utility>

namespace penstock::tools {
namespace {

constexpr double kMostDrainSeconds = 86400;

struct Parsed {
  ServerOptions options;
  std::string backend = "auto";
  double drainSeconds = std::chrono::duration<double>(options.drainLimit).count();
};

}  // namespace

CLI::App& addServerCommand(CLI::App& app, const std::string& name, const std::string& description,
                           std::function<void(const ServerOptions&)> run) {
  auto parsed = std::make_shared<Parsed>();
  ServerOptions& options = parsed->options;
  CLI::App& command = *app.add_subcommand(name, description);
  command.add_option("--listen", options.listen, "Where: HOST:PORT, [IPV6]:PORT or unix:PATH")
      ->required();
  command.add_option("--backend", parsed->backend, "uring, epoll or auto; PENSTOCK_BACKEND wins");
  command.add_option("--bytes-limit", options.bytesLimit, "Close each connection after N bytes")
      ->type_name("N")
      ->check(CLI::PositiveNumber);
  command
      .add_option("--drain-limit", parsed->drainSeconds,
                  "Seconds to flush in, once SIGTERM or SIGINT came")
      ->capture_default_str()
      ->check(CLI::Range(0.0, kMostDrainSeconds));
  command.add_flag("-v,--verbose", options.verbosity,
                   "A line on stderr for each connection that ends; twice: that begins, too");
  command.callback([parsed, run = std::move(run)] {
    parsed->options.backend = backendNamed(parsed->backend);
    parsed->options.drainLimit =
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(parsed->drainSeconds));
    run(parsed->options);
  });
  return command;
}

}  // namespace penstock::tools
