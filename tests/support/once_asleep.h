// Another thread that acts once this one sleeps in the kernel, to wake it up.
#pragma once

#include <functional>
#include <thread>

namespace penstock::testing {

// Calls `action` in a thread of its own as soon as the thread that made this object is asleep (or
// 5 s later), and joins it at the end of its life.
class OnceAsleep {
 public:
  explicit OnceAsleep(std::function<void()> action);
  ~OnceAsleep() { join(); }
  OnceAsleep(const OnceAsleep&) = delete;
  OnceAsleep& operator=(const OnceAsleep&) = delete;

  void join();

 private:
  std::thread thread_;
};

}  // namespace penstock::testing
