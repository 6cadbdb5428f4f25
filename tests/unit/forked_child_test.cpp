// ForkedChild: whatever becomes of a child, the test goes on, and there is only one of it.
#include <penstock/tests/support/forked_child.h>

#include <signal.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <chrono>
#include <stdexcept>

using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(forked_child_test)

BOOST_AUTO_TEST_CASE(a_child_ends_with_what_its_function_returns) {
  ForkedChild child([] { return 3; });

  BOOST_TEST(child.end() == "exit 3");
  BOOST_TEST(child.end() == "exit 3");
}

BOOST_AUTO_TEST_CASE(a_child_that_crashes_is_dead_and_runs_no_other_test) {
  for (const int number : {SIGSEGV, SIGABRT, SIGFPE, SIGPIPE}) {
    ForkedChild child([number] {
      ::raise(number);
      return 0;
    });

    BOOST_TEST(child.end().substr(0, 9) ==
               "signal " + std::to_string(number) + (number < 10 ? " " : ""));
  }
}

BOOST_AUTO_TEST_CASE(an_exception_ends_the_child_and_not_the_test) {
  ForkedChild child([]() -> int { throw std::runtime_error("as the test wants it"); });

  BOOST_TEST(child.end() == "exit 125");
}

BOOST_AUTO_TEST_CASE(a_child_that_hangs_is_killed_and_said_to_hang) {
  ForkedChild child([]() -> int {
    for (;;) ::pause();
  });

  BOOST_TEST(child.end(std::chrono::seconds(0)) == "hangs: not done after 0 s");
  BOOST_TEST(::kill(child.id(), 0) == -1);
  BOOST_TEST(errno == ESRCH);
}

BOOST_AUTO_TEST_CASE(a_child_that_nobody_waits_for_does_not_outlive_its_test) {
  pid_t id = 0;
  {
    ForkedChild child([]() -> int {
      for (;;) ::pause();
    });
    id = child.id();
  }

  BOOST_TEST(::kill(id, 0) == -1);
  BOOST_TEST(errno == ESRCH);
}

BOOST_AUTO_TEST_SUITE_END()
