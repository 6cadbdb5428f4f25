// The `penstock` command: registers its subcommands and turns what goes wrong into one line.
#include <penstock/runtime/parts/escaped.h>
#include <penstock/tools/command.h>

#include <CLI/CLI.hpp>

#include <signal.h>

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace penstock::tools {
namespace {

constexpr int kBadInput = 2;
constexpr std::size_t kMostComplained = 512;  // Whatever the mistake repeats.

void addCommands(CLI::App& app) {
  addEcho(app);
  addDiscard(app);
  addChargen(app);
  addRelay(app);
  addDoctor(app);
#ifdef PENSTOCK_WITH_COMPARE
  addCompare(app);
#endif
}

// Scripts and people get one line per mistake.
int complain(const std::string& message) {
  std::fprintf(stderr, "penstock: %s\n", escaped(message, kMostComplained).c_str());
  return kBadInput;
}

// What was typed before a command, where nothing but --help and --version can stand, or as one.
std::string noCommand(const CLI::App& app) {
  const std::string help = "; try penstock --help";
  const std::vector<std::string> typed = app.remaining();
  if (typed.empty()) return "a command is missing" + help;
  if (!typed.front().starts_with('-'))
    return "there is no command " + inQuotes(typed.front()) + help;
  return inQuotes(typed.front()) + " stands where a command is expected" + help;
}

// A word that the command does not take, or nothing. Told before what is missing: mostly that was
// meant by it.
std::string unexpected(const CLI::App& app) {
  for (const CLI::App* command : app.get_subcommands()) {
    const std::vector<std::string> typed = command->remaining();
    if (typed.empty()) continue;
    return command->get_name() + " takes no " + inQuotes(typed.front()) + "; try penstock " +
           command->get_name() + " --help";
  }
  return {};
}

std::string whatIsWrong(const CLI::App& app, const std::exception& mistake) {
  if (app.get_subcommands().empty()) return noCommand(app);
  const std::string word = unexpected(app);
  return word.empty() ? mistake.what() : word;
}

int run(int argc, char** argv) {
  CLI::App app("Servers, diagnosis and benchmarks on io_uring and epoll.", "penstock");
  app.set_version_flag("--version", "penstock " PENSTOCK_VERSION);
  app.require_subcommand(1);
  addCommands(app);
  app.footer(
      "Each has its own options: penstock echo --help\n"
      "A first try:              penstock echo --listen 127.0.0.1:8007");
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::Success& asked) {  // For help or the version.
    return app.exit(asked);
  } catch (const CLI::RequiredError& missing) {
    return complain(whatIsWrong(app, missing));
  } catch (const CLI::ExtrasError& extra) {
    return complain(whatIsWrong(app, extra));
  } catch (const CLI::RuntimeError& status) {
    return status.get_exit_code();
  } catch (const std::exception& mistake) {
    return complain(mistake.what());
  }
}

}  // namespace
}  // namespace penstock::tools

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);  // A reader of our lines that goes away must not end a server.
  return penstock::tools::run(argc, argv);
}
