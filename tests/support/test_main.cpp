// The main function of every test program.
//
//   <program> [Boost.Test options] [-- <backend>]
//
// With PENSTOCK_TEST_REPORTS set, a JUnit file <program>.<backend>.<process id>.xml goes into that
// directory, so that test cases can be counted. PENSTOCK_TEST_SECONDS is the time limit of one test
// case, 120 by default. Exit status 77: this backend cannot be used here.
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/hang_guard.h>

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
#include <vector>

bool init_unit_test();  // Made by BOOST_TEST_MODULE in the program's own file.

namespace penstock::testing {
namespace {

constexpr int kSkipped = 77;
constexpr int kDiedOfSigpipe = 125;

std::string reportFile;  // Empty: none is wanted.

void reportFailure(const char* testCase, const char* what) {
  if (reportFile.empty()) return;
  std::FILE* file = std::fopen(reportFile.c_str(), "w");
  if (!file) return;
  std::fprintf(file,
               "<?xml version=\"1.0\"?>\n<testsuite tests=\"1\" failures=\"1\" errors=\"0\">\n"
               "<testcase name=\"%s\"><failure message=\"%s\"/></testcase>\n</testsuite>\n",
               testCase, what);
  std::fclose(file);
}

void reportHang(const std::string& testCase) { reportFailure(testCase.c_str(), "hangs"); }

// Boost.Test lets this signal end the program without a word. No library may raise it.
char nameOfCase[256] = "no test case";

void dieOfSigpipe(int) {
  const auto say = [](const char* text) {
    static_cast<void>(!::write(STDERR_FILENO, text, std::strlen(text)));
  };
  say("fatal error: \"");
  say(nameOfCase);
  say("\" raised SIGPIPE\n");
  reportFailure(nameOfCase, "raised SIGPIPE");
  ::_exit(kDiedOfSigpipe);
}

void noteCase(const std::string& name) {
  nameOfCase[name.copy(nameOfCase, sizeof nameOfCase - 1)] = '\0';
}

class GuardEachTestCase final : public boost::unit_test::test_observer {
 public:
  void test_unit_start(const boost::unit_test::test_unit& unit) override {
    if (unit.p_type != boost::unit_test::TUT_CASE) return;
    noteCase(unit.full_name());
    guard_.watch(unit.full_name(), limit());
  }
  void test_unit_finish(const boost::unit_test::test_unit&, unsigned long) override {
    guard_.rest();
  }

  // Not the default 0: an observer of Boost's own has that, and when ours happens to come first
  // Boost 1.74 reads a flag before setting it, and may call the set-up failed.
  int priority() override { return 5; }

 private:
  static std::chrono::seconds limit() {
    const char* text = std::getenv("PENSTOCK_TEST_SECONDS");
    return std::chrono::seconds(text ? std::atol(text) : 120);
  }

  HangGuard guard_{&reportHang};
};

std::string programName(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

void nameReportFile(std::string_view program, std::string_view backend) {
  const char* directory = std::getenv("PENSTOCK_TEST_REPORTS");
  if (!directory) return;
  reportFile = std::string(directory) + "/" + programName(program) + "." + std::string(backend) +
               "." + std::to_string(getpid()) + ".xml";
}

bool init() {
  static GuardEachTestCase guard;
  boost::unit_test::framework::register_observer(guard);
  return init_unit_test();
}

// The caller's arguments with our logger in front of any `--`.
std::vector<std::string> argumentsFor(int argc, char** argv) {
  std::vector<std::string> arguments(argv, argv + argc);
  if (reportFile.empty()) return arguments;
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  arguments.insert(end, "--logger=HRF,error,stdout:JUNIT,error," + reportFile);
  return arguments;
}

int run(int argc, char** argv) {
  const auto separator = std::find(argv, argv + argc, std::string_view("--"));
  const std::string backend = separator + 1 < argv + argc ? separator[1] : "epoll";
  if (const std::string why = chooseTestBackend(backend); !why.empty()) {
    std::printf("skipped: %s: %s\n", backend.c_str(), why.c_str());
    return kSkipped;
  }
  nameReportFile(argv[0], backend);
  ::signal(SIGPIPE, &dieOfSigpipe);
  std::vector<std::string> arguments = argumentsFor(argc, argv);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  return boost::unit_test::unit_test_main(&init, static_cast<int>(arguments.size()),
                                          pointers.data());
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
