// The results of a test program in the form that Meson counts: TAP (testanything.org).
#pragma once

#include <boost/test/tree/observer.hpp>

namespace penstock::testing {

// Writes the plan and a line for each test case to what was standard output when it was made. From
// then on what is printed goes to standard error, so that nothing gets between the results. Make
// one.
class Tap final : public boost::unit_test::test_observer {
 public:
  Tap();

  // In place of all cases: none can run, for this reason.
  void skipAll(const char* why);

  // The case that runs is the last: writes that it failed, and why. From any thread of this process
  // and any signal handler; does nothing in a forked child, and between two cases.
  static void endEarly(const char* why);

  // Called by Boost.Test.
  void test_start(boost::unit_test::counter_t cases, boost::unit_test::test_unit_id) override;
  void test_unit_start(const boost::unit_test::test_unit& unit) override;
  void test_unit_finish(const boost::unit_test::test_unit& unit, unsigned long) override;
  void test_unit_skipped(const boost::unit_test::test_unit& unit,
                         boost::unit_test::const_string why) override;

  int priority() override { return kPriority; }

  // Of observers. Not the default 0: one of Boost's own has that, and when ours happens to come
  // first Boost 1.74 reads a flag before setting it, and may call the set-up failed.
  static constexpr int kPriority = 5;
};

}  // namespace penstock::testing
