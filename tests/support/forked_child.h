// A child process of a test: its end is waited for with a limit, and it ends with its function.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>

namespace penstock::testing {

// Forks. The child runs `body` and exits with what that returns. It handles signals in no way, so
// that one that crashes is dead and not a second runner of the tests, and it dies with its parent.
// It must not use the macros of Boost.Test: what it finds out, it returns.
//
//   ForkedChild child([&] { return works() ? 0 : 1; });
//   BOOST_TEST(child.end() == "exit 0");
class ForkedChild {
 public:
  explicit ForkedChild(const std::function<int()>& body);
  ~ForkedChild();
  ForkedChild(const ForkedChild&) = delete;
  ForkedChild& operator=(const ForkedChild&) = delete;

  pid_t id() const noexcept { return id_; }

  // Waits for the end of the child, which is killed if it is not over within `limit`: "exit 0",
  // "signal 11 (Segmentation fault)", "hangs: not done after 20 s".
  std::string end(std::chrono::seconds limit = std::chrono::seconds(20));

 private:
  pid_t id_;
  std::string end_;  // Empty: it may still run.
};

}  // namespace penstock::testing
