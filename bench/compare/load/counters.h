// Counters: instructions and cycles of another process, where the machine counts them.
#pragma once

#include <penstock/runtime/owned_fd.h>

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace penstock::compare {

// Counts from its construction on, for all threads that the process has then and those they start.
class Counters {
 public:
  explicit Counters(pid_t pid);

  // User and kernel together; none where the machine, or the permissions, do not give them.
  std::optional<std::uint64_t> instructions() const { return sum(instructions_); }
  std::optional<std::uint64_t> cycles() const { return sum(cycles_); }

 private:
  static std::optional<std::uint64_t> sum(const std::vector<OwnedFd>& counters);
  void count(pid_t thread);

  std::vector<OwnedFd> instructions_;
  std::vector<OwnedFd> cycles_;
};

}  // namespace penstock::compare
