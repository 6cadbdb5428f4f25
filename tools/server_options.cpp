#include <penstock/runtime/backends.h>
#include <penstock/runtime/parts/escaped.h>
#include <penstock/tools/server_options.h>

#include <CLI/CLI.hpp>

#include <charconv>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace penstock::tools {
namespace {

constexpr double kMostDrainSeconds = 86400;

template <class Number>
bool readNumber(const std::string& text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stopped == end;
}

// CLI11's own checks compare as double, let a NaN pass, and make the largest number of one that is
// too large.
std::string complaintOfBytes(std::string& text) {
  std::uint64_t bytes = 0;
  if (!readNumber(text, bytes) || bytes == 0)
    return inQuotes(text) + " is no number of bytes above 0";
  text = std::to_string(bytes);  // CLI11 would take leading zeros for octal.
  return {};
}

std::string complaintOfSeconds(std::string& text) {
  double seconds = 0;
  if (readNumber(text, seconds) && seconds >= 0 && seconds <= kMostDrainSeconds) return {};
  return inQuotes(text) + " is no number of seconds from 0 to 86400";
}

std::string complaintOfBackend(std::string& name) {
  try {
    backendNamed(name);
    return {};
  } catch (const std::invalid_argument& mistake) {
    return mistake.what();
  }
}

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
  command
      .add_option("--listen", options.listen, "Where: HOST:PORT, :PORT, [IPV6]:PORT or unix:PATH")
      ->type_name("PLACE")
      ->required();
  command
      .add_option("--backend", parsed->backend,
                  "uring, epoll or auto: what PENSTOCK_BACKEND says, or what works")
      ->type_name("NAME")
      ->check(CLI::Validator(&complaintOfBackend, ""));
  command.add_option("--bytes-limit", options.bytesLimit, "Close each connection after N bytes")
      ->type_name("N")
      ->transform(CLI::Validator(&complaintOfBytes, ""));
  command
      .add_option("--drain-limit", parsed->drainSeconds,
                  "How long to flush, once SIGTERM or SIGINT came")
      ->type_name("SECONDS")
      ->capture_default_str()
      ->check(CLI::Validator(&complaintOfSeconds, ""));
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
