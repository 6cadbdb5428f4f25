// The `penstock` command: registers its subcommands and turns what goes wrong into one line.
#include <penstock/runtime/escaped.h>
#include <penstock/tools/command.h>

#include <CLI/CLI.hpp>

#include <signal.h>

#include <cstdio>
#include <exception>
#include <string>

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

// The first line of `message` only: scripts and people get one line per mistake.
int complain(std::string message) {
  message = message.substr(0, message.find('\n'));
  std::fprintf(stderr, "penstock: %s\n", escaped(message, kMostComplained).c_str());
  return kBadInput;
}

int run(int argc, char** argv) {
  CLI::App app("Servers, diagnosis and benchmarks on io_uring and epoll.", "penstock");
  app.set_version_flag("--version", "penstock " PENSTOCK_VERSION);
  app.require_subcommand(1);
  addCommands(app);
  try {
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::Success& asked) {  // For help or the version.
    return app.exit(asked);
  } catch (const CLI::RequiredError& missing) {
    if (!app.get_subcommands().empty() || app.remaining().empty()) return complain(missing.what());
    return complain("there is no command '" + app.remaining().front() + "'; try penstock --help");
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
