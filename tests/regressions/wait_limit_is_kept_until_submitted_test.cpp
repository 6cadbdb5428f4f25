// On kernels without IORING_ENTER_EXT_ARG the limit of a wait is a timeout request. When the kernel
// was busy and did not take it at once, it read its time later from a stack frame that was gone.
#include <boost/test/unit_test.hpp>

#include <penstock/runtime/uring/ring.h>
#include <penstock/sim/kernel.h>
#include <penstock/tests/support/printing.h>

namespace penstock::uring {

BOOST_AUTO_TEST_SUITE(wait_limit_is_kept_until_submitted_test)

using namespace std::chrono_literals;

BOOST_AUTO_TEST_CASE(a_wait_ends_at_its_limit_although_the_kernel_was_busy) {
  sim::Faults faults;
  faults.busy = 0.7;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    sim::Kernel kernel(seed, faults);
    Ring ring(ringCalls(), ringCalls().features() & ~kWaitTimeout);
    const TimePoint before = kernel.now();

    for (int turns = 0; turns < 100 && !ring.hasCompletions(); ++turns) ring.enter(1, 1h);

    BOOST_TEST(ring.hasCompletions());
    BOOST_TEST(kernel.now() - before >= 1h);
    BOOST_TEST(kernel.now() - before < 1h + 1s);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace penstock::uring
