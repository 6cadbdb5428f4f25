// How large the objects are that a service has many of: x86-64 and its like, where a pointer has 8
// bytes. Who makes one larger changes the figure here, and says in the commit what it is for.
#include <penstock/runtime/epoll/stream.h>
#include <penstock/runtime/timer.h>
#ifdef PENSTOCK_WITH_URING
#include <penstock/runtime/uring/stream.h>
#endif

#include <boost/test/unit_test.hpp>

using namespace penstock;

BOOST_AUTO_TEST_SUITE(object_sizes_test)

BOOST_AUTO_TEST_CASE(a_stream_on_epoll_has_at_most_216_bytes) {
  BOOST_TEST(sizeof(epoll::Stream) <= 216U);
}

#ifdef PENSTOCK_WITH_URING
BOOST_AUTO_TEST_CASE(a_stream_on_io_uring_has_at_most_264_bytes) {
  BOOST_TEST(sizeof(uring::Stream) <= 264U);
}
#endif

BOOST_AUTO_TEST_CASE(a_timer_has_at_most_88_bytes) { BOOST_TEST(sizeof(Timer) <= 88U); }

BOOST_AUTO_TEST_SUITE_END()
