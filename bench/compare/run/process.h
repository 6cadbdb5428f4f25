// Process: a child with a pipe on its standard output, on the cores it is given.
#pragma once

#include <penstock/runtime/owned_fd.h>

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace penstock::compare {

// Ends with this object, by SIGKILL if it must, and with the program that started it. Signals
// from the terminal do not reach it: Ctrl-C is the tool's affair.
class Process {
 public:
  struct Options {
    std::optional<int> core;       // Pinned to it.
    std::vector<int> inherited{};  // Descriptors kept open, under the same numbers.
    bool keepErrors = true;        // Standard error is kept for errorLine(), not shown.
  };

  // Throws std::system_error if there is no such program or it cannot be started.
  Process(const std::vector<std::string>& command, const Options& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const noexcept { return pid_; }

  // The next line of its output; none at the end of it, after `limit`, or, unless told to be
  // `patient`, once interrupted().
  std::optional<std::string> readLine(std::chrono::milliseconds limit, bool patient = false);

  // The first line it wrote to standard error, shortened; empty if there is none.
  std::string errorLine();

  // Whether it has ended; does not wait.
  bool ended();

  // Sends `signal` if it still runs.
  void signal(int signal) noexcept;

  // Waits until it has ended, killing it after `limit`. How it ended, as in "exit status 2" or
  // "signal 11 (Segmentation fault)"; empty: with status 0.
  std::string wait(std::chrono::milliseconds limit);

 private:
  pid_t pid_ = -1;
  OwnedFd output_;
  OwnedFd errors_;
  std::string pending_;
  std::optional<int> status_;
};

// Set by Ctrl-C and SIGTERM once interruptible() was called; then what waits gives up early.
bool interrupted() noexcept;
void makeInterruptible();

}  // namespace penstock::compare
