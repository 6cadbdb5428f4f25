#include <penstock/tests/support/tap.h>

#include <fcntl.h>
#include <unistd.h>
#include <boost/test/results_collector.hpp>
#include <boost/test/tree/test_unit.hpp>
#include <boost/test/tree/traverse.hpp>
#include <boost/test/tree/visitor.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

// What a sanitizer calls before it ends the program, where there is one.
extern "C" __attribute__((weak)) void __sanitizer_set_death_callback(void (*callback)());

namespace penstock::testing {
namespace {

using boost::unit_test::test_unit;

// What a signal handler needs, without allocation.
int output = STDOUT_FILENO;
pid_t owner = 0;
int number = 0;          // Of the last case that was written.
char running[256] = "";  // The case that runs; empty between two.

void write(const char* result, const std::string& name, const std::string& comment) {
  ::dprintf(output, "%s %d - %s%s\n", result, ++number, name.c_str(), comment.c_str());
}

class Skipping final : public boost::unit_test::test_tree_visitor {
 public:
  explicit Skipping(std::string why) : comment_(" # SKIP " + std::move(why)) {}

  void visit(const boost::unit_test::test_case& unit) override {
    write("ok", unit.full_name(), comment_);
  }

 private:
  std::string comment_;
};

}  // namespace

Tap::Tap() {
  owner = ::getpid();
  output = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  std::atexit([] { endEarly("it ended the program"); });
  if (&__sanitizer_set_death_callback) {
    __sanitizer_set_death_callback([] { endEarly("the sanitizer ended the program"); });
  }
}

void Tap::skipAll(const char* why) { ::dprintf(output, "1..0 # SKIP %s\n", why); }

void Tap::endEarly(const char* why) {
  if (running[0] == '\0' || ::getpid() != owner) return;
  ::dprintf(output, "not ok %d - %s\n# %s\n", number + 1, running, why);
  running[0] = '\0';
}

void Tap::test_start(boost::unit_test::counter_t cases, boost::unit_test::test_unit_id) {
  ::dprintf(output, "1..%lu\n", static_cast<unsigned long>(cases));
}

void Tap::test_unit_start(const test_unit& unit) {
  if (unit.p_type != boost::unit_test::TUT_CASE) return;
  running[unit.full_name().copy(running, sizeof running - 1)] = '\0';
}

void Tap::test_unit_finish(const test_unit& unit, unsigned long) {
  if (unit.p_type != boost::unit_test::TUT_CASE) return;
  running[0] = '\0';
  const bool passed = boost::unit_test::results_collector.results(unit.p_id).passed();
  write(passed ? "ok" : "not ok", unit.full_name(), "");
}

// Of a suite only this is told, not each of its cases. What the command line left out is none of
// them.
void Tap::test_unit_skipped(const test_unit& unit, boost::unit_test::const_string why) {
  Skipping visitor(std::string(why.begin(), why.end()));
  boost::unit_test::traverse_test_tree(unit.p_id, visitor);
}

}  // namespace penstock::testing
