#include <penstock/runtime/errors.h>
#include <penstock/tests/support/forked_child.h>

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>

namespace penstock::testing {
namespace {

constexpr int kThrew = 125;

// Boost.Test's would take a crash for that of a test case, and go on with the next.
void forgetSignalHandlers() {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
}

int resultOf(const std::function<int()>& body) {
  try {
    return body();
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "a forked child ends with an exception: %s\n", exception.what());
    return kThrew;
  }
}

std::string nameOf(int status) {
  if (WIFEXITED(status)) return "exit " + std::to_string(WEXITSTATUS(status));
  const int number = WTERMSIG(status);
  return "signal " + std::to_string(number) + " (" + ::strsignal(number) + ")";
}

// Whether `child` ends within `limit`, and how.
bool awaitEnd(pid_t child, std::chrono::seconds limit, int& status) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (::waitpid(child, &status, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    ::poll(nullptr, 0, 1);
  }
  return true;
}

}  // namespace

// _exit: what the parent would do at its end is not the child's to do.
ForkedChild::ForkedChild(const std::function<int()>& body) : id_(::fork()) {
  if (id_ < 0) throwErrno(-errno, "fork");
  if (id_ > 0) return;
  forgetSignalHandlers();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::_exit(resultOf(body));
}

ForkedChild::~ForkedChild() {
  if (end_.empty()) end(std::chrono::seconds(0));
}

std::string ForkedChild::end(std::chrono::seconds limit) {
  if (!end_.empty()) return end_;
  int status = 0;
  if (awaitEnd(id_, limit, status)) return end_ = nameOf(status);
  ::kill(id_, SIGKILL);
  ::waitpid(id_, &status, 0);
  return end_ = "hangs: not done after " + std::to_string(limit.count()) + " s";
}

}  // namespace penstock::testing
