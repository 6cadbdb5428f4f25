// A part of a test that runs in a forked child.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>

namespace penstock::testing {

// Whether `body()`, run in a child of this process, returns true. A child that crashes, throws, or
// takes longer than `seconds` says false; it never goes on as a second runner of tests.
template <class Body>
bool inChild(Body body, unsigned seconds = 20) {
  const pid_t child = ::fork();
  if (child < 0) return false;
  if (child == 0) {
    for (const int signal : {SIGABRT, SIGALRM, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTERM}) {
      ::signal(signal, SIG_DFL);
    }
    ::alarm(seconds);
    try {
      ::_exit(body() ? 0 : 1);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "the child threw: %s\n", error.what());
      ::_exit(2);
    }
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace penstock::testing
