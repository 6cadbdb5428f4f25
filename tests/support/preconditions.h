// When a test case does not apply.
#pragma once

#include <penstock/tests/support/backend.h>

#include <boost/test/unit_test.hpp>

namespace penstock::testing {

// For tests with descriptors, threads, signals or processes that the simulated kernel knows
// nothing of:  BOOST_AUTO_TEST_CASE(name, *boost::unit_test::precondition(onRealKernel))
inline boost::test_tools::assertion_result onRealKernel(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(!testBackend().simulated);
  result.message() << "needs a real kernel";
  return result;
}

// For tests of what a real kernel cannot be made to do at will.
inline boost::test_tools::assertion_result onSimulatedKernel(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(testBackend().simulated);
  result.message() << "needs a simulated kernel";
  return result;
}

}  // namespace penstock::testing
