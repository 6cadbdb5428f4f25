// The subcommands of `penstock`. Each is one file here, one line below and one in main.cpp.
#pragma once

namespace CLI {
class App;
}

namespace penstock::tools {

// Each adds its subcommand to `app`, to be run while the command line is parsed. A command that
// throws a std::exception ends the program with its message, one line, and exit status 2; one
// that has another status to give throws CLI::RuntimeError(status) and prints its own lines.
void addChargen(CLI::App& app);
void addCompare(CLI::App& app);  // Only in builds that have the benchmark.
void addDiscard(CLI::App& app);
void addDoctor(CLI::App& app);
void addEcho(CLI::App& app);
void addRelay(CLI::App& app);

}  // namespace penstock::tools
