// The main function of the tests: what Meson reads of a case that ends well, badly or not at all.
// The cases of the first suite run only when one of the second runs them, in a program of their
// own.
#include <signal.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>

using boost::unit_test::disabled;

BOOST_AUTO_TEST_SUITE(samples_of_tap_test, *disabled())

BOOST_AUTO_TEST_CASE(passes) { BOOST_TEST(true); }
BOOST_AUTO_TEST_CASE(fails) { BOOST_TEST(false); }
BOOST_AUTO_TEST_CASE(throws) { throw std::runtime_error("as the test wants it"); }
BOOST_AUTO_TEST_CASE(prints) { std::puts("not ok 1 - a result"); }
BOOST_AUTO_TEST_CASE(crashes) { ::raise(SIGSEGV); }
BOOST_AUTO_TEST_CASE(aborts) { std::abort(); }
BOOST_AUTO_TEST_CASE(ends_the_program) { std::exit(0); }
BOOST_AUTO_TEST_CASE(writes_to_who_has_gone) { ::raise(SIGPIPE); }
BOOST_AUTO_TEST_CASE(hangs) {
  for (;;) ::pause();
}

boost::test_tools::assertion_result never(boost::unit_test::test_unit_id) {
  boost::test_tools::assertion_result result(false);
  result.message() << "as it must";
  return result;
}

BOOST_AUTO_TEST_SUITE(a_suite, *boost::unit_test::precondition(never))
BOOST_AUTO_TEST_CASE(first) {}
BOOST_AUTO_TEST_CASE(second) {}
BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(tap_test)

namespace {

const std::string kSamples = "samples_of_tap_test/";

// What a program prints that runs the samples that `which` selects.
std::string resultsOf(const std::string& which) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command = "PENSTOCK_TEST_SECONDS=1 exec '" + program + "' --run_test='" +
                              kSamples + which + "' 2> /dev/null";
  std::FILE* const output = ::popen(command.c_str(), "r");
  BOOST_TEST_REQUIRE(output);
  std::string results;
  std::array<char, 4096> piece;
  while (const std::size_t count = std::fread(piece.data(), 1, piece.size(), output)) {
    results.append(piece.data(), count);
  }
  ::pclose(output);
  return results;
}

std::string firstLines(const std::string& which, const std::string& result) {
  return "1..1\n" + result + " 1 - " + kSamples + which + "\n";
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_case_that_passes_is_ok_whatever_it_prints) {
  for (const std::string which : {"passes", "prints"}) {
    BOOST_TEST(resultsOf(which) == firstLines(which, "ok"));
  }
}

BOOST_AUTO_TEST_CASE(a_case_that_fails_is_not_ok_and_the_next_one_runs) {
  BOOST_TEST(resultsOf("passes,fails,throws,prints") ==
             "1..4\nok 1 - " + kSamples + "passes\nnot ok 2 - " + kSamples + "fails\nnot ok 3 - " +
                 kSamples + "throws\nok 4 - " + kSamples + "prints\n");
}

BOOST_AUTO_TEST_CASE(a_case_that_ends_the_program_is_not_ok_and_named) {
  for (const std::string which :
       {"crashes", "aborts", "ends_the_program", "writes_to_who_has_gone", "hangs"}) {
    const std::string expected = firstLines(which, "not ok");
    BOOST_TEST(resultsOf(which).substr(0, expected.size()) == expected);
  }
}

BOOST_AUTO_TEST_CASE(each_case_of_a_suite_that_is_skipped_is_skipped_and_says_why) {
  const std::string why = " # SKIP precondition failed: as it must\n";

  BOOST_TEST(resultsOf("a_suite") == "1..2\nok 1 - " + kSamples + "a_suite/first" + why +
                                         "ok 2 - " + kSamples + "a_suite/second" + why);
}

BOOST_AUTO_TEST_SUITE_END()
