#include <penstock/tests/support/once_asleep.h>

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <string>
#include <utility>

namespace penstock::testing {
namespace {

bool isAsleep(long thread) {
  std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string stat;
  std::getline(file, stat);
  const auto name = stat.rfind(')');
  return name != std::string::npos && stat.compare(name, 3, ") S") == 0;
}

void waitForSleep(long thread) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!isAsleep(thread) && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
}

}  // namespace

// Signals are for the thread that sleeps.
OnceAsleep::OnceAsleep(std::function<void()> action) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([action = std::move(action), sleeper = ::syscall(SYS_gettid)] {
    waitForSleep(sleeper);
    action();
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void OnceAsleep::join() {
  if (thread_.joinable()) thread_.join();
}

}  // namespace penstock::testing
