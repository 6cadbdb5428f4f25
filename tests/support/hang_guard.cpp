#include <penstock/tests/support/hang_guard.h>

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <utility>

namespace penstock::testing {
HangGuard::HangGuard(Report report) : report_(report) {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // Inherited: signals are for the loop's thread.
  thread_ = std::thread([this] { loop(); });
  pthread_setname_np(thread_.native_handle(), kThreadName);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

HangGuard::~HangGuard() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void HangGuard::watch(std::string testCase, std::chrono::seconds limit) {
  {
    const std::lock_guard lock(mutex_);
    testCase_ = std::move(testCase);
    limit_ = limit;
    deadline_ = std::chrono::steady_clock::now() + limit;
  }
  changed_.notify_one();
}

void HangGuard::rest() {
  const std::lock_guard lock(mutex_);
  deadline_.reset();
}

void HangGuard::loop() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!deadline_) {
      changed_.wait(lock);
    } else if (std::chrono::steady_clock::now() < *deadline_) {
      changed_.wait_until(lock, *deadline_);
    } else {
      expire();
    }
  }
}

// _exit: the stuck thread must not get to run destructors.
void HangGuard::expire() {
  std::fprintf(stderr, "fatal error: \"%s\" hangs: not done after %lld s\n", testCase_.c_str(),
               static_cast<long long>(limit_.count()));
  report_(testCase_);
  _exit(124);
}

}  // namespace penstock::testing
