// Which backend create() takes when a small ring works and the loop's own is refused.
#include <penstock/runtime/backends.h>
#include <penstock/runtime/uring/ring_calls.h>
#include <penstock/tests/support/complaint.h>
#include <penstock/tests/support/printing.h>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace penstock {

BOOST_AUTO_TEST_SUITE(backends_test)

namespace {

// As where nearly all of the memory that may be locked is in use.
class NoRoom final : public uring::RingCalls {
 public:
  int setup(unsigned, io_uring&, io_uring_params&) noexcept override { return -ENOMEM; }
};

struct WithoutRoom {
  WithoutRoom() {
    ::unsetenv("PENSTOCK_BACKEND");
    uring::replaceRingCalls(&calls);
  }
  ~WithoutRoom() { uring::replaceRingCalls(nullptr); }

  ReactorOptions optionsFor(Backend backend) {
    ReactorOptions options;
    options.backend = backend;
    options.log = [this](std::string_view line) { lines.emplace_back(line); };
    return options;
  }

  NoRoom calls;
  std::vector<std::string> lines;
};

bool hasUring() {
  try {
    return chooseBackend(Backend::kUring).backend == Backend::kUring;
  } catch (const std::system_error&) {
    return false;
  }
}

boost::test_tools::assertion_result uringWorks(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(chooseBackend(Backend::kAuto).backend ==
                                             Backend::kUring);
  result.message() << "io_uring does not work here at all";
  return result;
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(epoll_is_taken_and_says_why_when_the_ring_is_refused, WithoutRoom,
                        *boost::unit_test::precondition(uringWorks)) {
  const auto reactor = Reactor::create(optionsFor(Backend::kAuto));

  BOOST_TEST(reactor->backend() == Backend::kEpoll);
  BOOST_TEST_REQUIRE(lines.size() == 1U);
  BOOST_TEST(lines[0] ==
             "penstock: using epoll: the limit of locked memory is too small for a ring");
}

BOOST_FIXTURE_TEST_CASE(whoever_asks_which_backend_it_would_be_hears_what_create_does, WithoutRoom,
                        *boost::unit_test::precondition(uringWorks)) {
  BOOST_CHECK(chooseBackend(Backend::kAuto).backend == Backend::kEpoll);
  BOOST_CHECK_THROW(chooseBackend(Backend::kUring), std::system_error);
}

BOOST_AUTO_TEST_CASE(the_environment_decides_only_where_the_program_does_not) {
  const auto backendOf = [](Backend asked, bool environmentDecides) {
    ReactorOptions options;
    options.backend = asked;
    options.environmentDecides = environmentDecides;
    options.log = [](std::string_view) {};
    return Reactor::create(std::move(options))->backend();
  };
  ::setenv("PENSTOCK_BACKEND", "epoll", 1);
  const bool uring = hasUring();

  BOOST_CHECK(backendOf(Backend::kAuto, false) == Backend::kEpoll);
  BOOST_CHECK(!uring || backendOf(Backend::kUring, false) == Backend::kUring);
  BOOST_CHECK(backendOf(Backend::kUring, true) == Backend::kEpoll);
  ::setenv("PENSTOCK_BACKEND", "poll", 1);
  BOOST_CHECK(backendOf(Backend::kEpoll, false) == Backend::kEpoll);
  BOOST_CHECK_THROW(backendOf(Backend::kAuto, false), std::invalid_argument);
  ::unsetenv("PENSTOCK_BACKEND");
}

BOOST_AUTO_TEST_CASE(a_long_or_unprintable_name_is_cut_and_escaped) {
  const auto complaint = [](const std::string& name) {
    return testing::complaintOf([&] { backendNamed(name); });
  };

  BOOST_TEST(complaint(std::string(100'000, 'x')).size() < 400U);
  BOOST_TEST(complaint("a\nb\x1b[2J").find("'a\\nb\\x1b[2J'") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(asking_for_a_ring_that_is_refused_ends_in_the_remedy, WithoutRoom,
                        *boost::unit_test::precondition(uringWorks)) {
  const auto hasRemedy = [](const std::system_error& error) {
    return std::string(error.what()).find("ulimit -l") != std::string::npos;
  };

  BOOST_CHECK_EXCEPTION(Reactor::create(optionsFor(Backend::kUring)), std::system_error, hasRemedy);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace penstock
