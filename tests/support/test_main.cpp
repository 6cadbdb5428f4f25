// The main function of every test program.
//
//   <program> [Boost.Test options] [-- <backend>]
//
// Prints its results as TAP, and what has failed in them to standard error. A suite is called like
// the source that it is in: --run_test=stream_test. PENSTOCK_TEST_SECONDS is the time limit of one
// test case, 120 by default.
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/hang_guard.h>
#include <penstock/tests/support/tap.h>

#include <signal.h>
#include <unistd.h>
#include <boost/test/tree/observer.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>

namespace penstock::testing {
namespace {

constexpr int kDiedOfSigpipe = 125;

// Boost.Test lets this signal end the program without a word. No library may raise it.
void dieOfSigpipe(int) {
  constexpr std::string_view kWhat = "fatal error: SIGPIPE was raised\n";
  static_cast<void>(!::write(STDERR_FILENO, kWhat.data(), kWhat.size()));
  Tap::endEarly("it raised SIGPIPE");
  ::_exit(kDiedOfSigpipe);
}

class GuardEachTestCase final : public boost::unit_test::test_observer {
 public:
  void test_unit_start(const boost::unit_test::test_unit& unit) override {
    if (unit.p_type != boost::unit_test::TUT_CASE) return;
    guard_.watch(unit.full_name(), limit());
  }
  void test_unit_finish(const boost::unit_test::test_unit&, unsigned long) override {
    guard_.rest();
  }
  int priority() override { return Tap::kPriority; }

 private:
  static std::chrono::seconds limit() {
    const char* text = std::getenv("PENSTOCK_TEST_SECONDS");
    return std::chrono::seconds(text ? std::atol(text) : 120);
  }

  HangGuard guard_{[](const std::string&) { Tap::endEarly("it hangs"); }};
};

Tap& tap() {
  static Tap results;
  return results;
}

bool init() {
  static GuardEachTestCase guard;
  boost::unit_test::framework::register_observer(tap());
  boost::unit_test::framework::register_observer(guard);
  return true;
}

int run(int argc, char** argv) {
  const auto separator = std::find(argv, argv + argc, std::string_view("--"));
  const std::string backend = separator + 1 < argv + argc ? separator[1] : "epoll";
  tap();
  if (const std::string why = chooseTestBackend(backend); !why.empty()) {
    tap().skipAll((backend + ": " + why).c_str());
    return 0;
  }
  ::signal(SIGPIPE, &dieOfSigpipe);
  return boost::unit_test::unit_test_main(&init, argc, argv);
}

}  // namespace
}  // namespace penstock::testing

int main(int argc, char** argv) {
  try {
    return penstock::testing::run(argc, argv);
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "%s\n", exception.what());
    return 2;
  }
}
