// penstock compare: measures the same work on io_uring, on epoll, and by other hands.
#include <penstock/bench/compare/command.h>
#include <penstock/bench/compare/workload.h>
#include <penstock/tools/command.h>

#include <CLI/CLI.hpp>

#include <memory>
#include <string>

namespace penstock::tools {
namespace {

struct CommandLine {
  compare::CommandOptions options;
  std::string profile = "default";
  bool quick = false;
  bool full = false;
};

std::string workloadNames() {
  std::string names;
  for (const compare::Workload& each : compare::workloads()) {
    names += (names.empty() ? "" : ", ") + each.name;
  }
  return names;
}

void run(CommandLine& line) {
  if (line.quick) line.profile = "quick";
  if (line.full) line.profile = "full";
  line.options.request.profile = compare::profileNamed(line.profile);
  const int status = compare::runCommand(line.options);
  if (status != 0) throw CLI::RuntimeError(status);
}

// All of them say what is to be measured, which a replay knows already.
void addSelection(CLI::App& command, CommandLine& line) {
  auto& request = line.options.request;
  auto* quick =
      command.add_flag("--quick", line.quick, "The most telling cells, in less than 90 seconds");
  auto* full = command.add_flag("--full", line.full,
                                "All engines that are here, and all cells, in about 40 minutes");
  auto* profile = command.add_option(
      "--profile", line.profile,
      "quick; default, in less than 3 minutes; full; or speed: groups of cells beside\n"
      "the hand-written loops and the other libraries, in about 11 minutes");
  quick->excludes(full)->excludes(profile);
  full->excludes(profile);
  command
      .add_option("--engines", request.engines,
                  "Only these of penstock-uring, penstock-epoll, raw-uring, raw-epoll,\n"
                  "raw-splice, asio, asio-uring, libuv, libevent; separated by commas")
      ->delimiter(',');
  command.add_option("--workloads", request.workloads, "Only these of " + workloadNames())
      ->delimiter(',');
  command
      .add_option("--only", request.only,
                  "Only cells with this in their name, as echo/c50/64 (50 connections, 64 B)")
      ->delimiter(',');
  command
      .add_option("--rounds", request.rounds,
                  "In which all engines of a cell take a turn; if not given as many as there is\n"
                  "time for, and 30 at least")
      ->check(CLI::Range(1, 1000));
  command.add_option("--seed", request.seed, "Of the orders and of the open loops");
  command.add_option(
      "--client", request.client,
      "What the load generator uses for messages: epoll, or io_uring,\n"
      "which is cheaper; if not given epoll, and io_uring for some cells and for speed");
}

}  // namespace

void addCompare(CLI::App& app) {
  auto line = std::make_shared<CommandLine>();
  CLI::App& command = *app.add_subcommand(
      "compare", "Measures the same servers on io_uring and on epoll, and other libraries");
  addSelection(command, *line);
  command.add_option("--out", line->options.out, "Where result.json and the reports go")
      ->capture_default_str();
  auto* replay = command.add_option("--replay", line->options.replay,
                                    "Measure again what this result measured");
  for (const char* selection : {"--quick", "--full", "--profile", "--engines", "--workloads",
                                "--only", "--rounds", "--seed", "--client"}) {
    replay->excludes(command.get_option(selection));
  }
  auto* selfTest = command.add_flag(
      "--self-test", line->options.selfTest,
      "Compare nothing, but slow one of two equal servers by 3 % and by 10 %, and tell\n"
      "in how many cells that is found, and in how many equal ones are told apart");
  selfTest->excludes(replay)->excludes(command.get_option("--engines"));
  command.add_option("results", line->options.results,
                     "Two results to compare with one another, or one to report on anew");
  command.callback([line] { run(*line); });
}

}  // namespace penstock::tools
