// capabilities(): what relays need of the kernel is tried, not assumed.
#include <penstock/runtime/backends.h>
#include <penstock/tests/support/splicing_calls.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cerrno>
#include <string_view>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(splicing_capabilities_test)

namespace {

bool works(std::string_view name) {
  const auto list = capabilities();
  const auto found =
      std::ranges::find_if(list, [&](const Capability& row) { return row.name == name; });
  BOOST_REQUIRE((found != list.end()));
  return found->works;
}

}  // namespace

BOOST_AUTO_TEST_CASE(splicing_works_where_nothing_forbids_it) {
  splicing();

  BOOST_TEST(works("pipe2"));
  BOOST_TEST(works("splice"));
}

BOOST_AUTO_TEST_CASE(a_filter_that_forbids_splices_is_seen) {
  splicing().fill = -EPERM;

  BOOST_TEST(works("pipe2"));
  BOOST_TEST(!works("splice"));
}

BOOST_AUTO_TEST_CASE(a_filter_that_forbids_pipes_is_seen) {
  splicing().pipe = -ENOSYS;

  BOOST_TEST(!works("pipe2"));
  BOOST_TEST(!works("splice"));
}

BOOST_AUTO_TEST_SUITE_END()
