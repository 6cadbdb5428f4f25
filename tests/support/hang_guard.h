// A hang is a failure with a name: ends the process when one test case takes too long.
#pragma once

#include <penstock/sim/kernel.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace penstock::testing {

// Watches from a thread of its own, which works also when the loop spins or blocks. On expiry it
// names the test case on stderr, calls `report` and ends the process with status 124.
class HangGuard {
 public:
  using Report = void (*)(const std::string& testCase);

  // The name of its thread, by which a simulated kernel knows that it takes no part.
  static constexpr const char* kThreadName = sim::Kernel::kOnlooker;

  explicit HangGuard(Report report);
  ~HangGuard();

  // Watches `testCase` from now on, in place of the one before.
  void watch(std::string testCase, std::chrono::seconds limit);
  void rest();

 private:
  void loop();
  [[noreturn]] void expire();

  Report report_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string testCase_;
  std::chrono::seconds limit_{};
  std::optional<std::chrono::steady_clock::time_point> deadline_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace penstock::testing
