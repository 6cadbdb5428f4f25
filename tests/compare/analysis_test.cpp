// What is claimed, and what is not.
#define BOOST_TEST_MODULE compare_analysis
#include <penstock/bench/compare/run/analysis.h>
#include <penstock/tests/compare/outcomes.h>

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <random>

using namespace outcomes;

namespace {

const Comparison& comparisonOf(const Summary& summary, const std::string& metric = "cpu_us") {
  const Comparison* found =
      summary.cells.front().compare("penstock-uring", "penstock-epoll", metric);
  BOOST_REQUIRE(found != nullptr);
  return *found;
}

bool says(const Summary& summary, const std::string& words) {
  return std::any_of(summary.sentences.begin(), summary.sentences.end(),
                     [&words](const std::string& each) { return each.find(words) != each.npos; });
}

std::vector<double> noisy(double middle, double noise, std::mt19937_64& random) {
  std::normal_distribution<double> values(middle, middle * noise);
  std::vector<double> drawn(5);
  for (double& value : drawn) value = values(random);
  return drawn;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_clear_win_is_claimed_and_said) {
  const Summary summary = analyse(outcome({3.0, 3.02, 2.98, 3.01, 2.99}, kFour, kFour), {});

  BOOST_TEST(comparisonOf(summary).claimed);
  BOOST_TEST(comparisonOf(summary).ratio.median == 0.75, boost::test_tools::tolerance(0.01));
  BOOST_TEST(says(summary, "io_uring needs 0.75x the CPU of epoll for 64 B at 50 connections"));
}

BOOST_AUTO_TEST_CASE(a_clear_loss_is_said_as_plainly) {
  const Summary summary = analyse(outcome({4.8, 4.82, 4.78, 4.81, 4.79}, kFour, kFour), {});

  BOOST_TEST(comparisonOf(summary).claimed);
  BOOST_TEST(says(summary, "io_uring needs 1.20x the CPU of epoll for 64 B at 50 connections"));
}

BOOST_AUTO_TEST_CASE(intervals_that_overlap_make_no_difference) {
  const Summary summary =
      analyse(outcome({3.6, 3.7, 4.1, 3.8, 4.0}, {3.8, 4.2, 3.9, 4.0, 4.1}, kFour), {});

  BOOST_TEST(!comparisonOf(summary).claimed);
  BOOST_TEST(says(summary, "no difference in CPU between io_uring and epoll"));
}

// Five per cent, with intervals far apart; but the A/A pair is ten per cent apart as well.
BOOST_AUTO_TEST_CASE(a_difference_under_the_noise_floor_is_not_claimed) {
  const Summary summary =
      analyse(outcome({3.80, 3.81, 3.79, 3.80, 3.80}, kFour, {4.40, 4.41, 4.39, 4.40, 4.40}), {});

  const Comparison& comparison = comparisonOf(summary);
  BOOST_TEST(apart(summary.cells[0].series[0].find("cpu_us")->interval,
                   summary.cells[0].series[1].find("cpu_us")->interval));
  BOOST_TEST(comparison.noiseFloor > 0.09);
  BOOST_TEST(!comparison.claimed);
}

BOOST_AUTO_TEST_CASE(a_pair_that_disagrees_is_told) {
  const Summary summary = analyse(outcome(kFour, kFour, {4.40, 4.41, 4.39, 4.40, 4.40}), {});

  BOOST_REQUIRE(!summary.cells.front().marks.empty());
  BOOST_TEST((summary.cells.front().marks.front().grade == Grade::kWarn));
  BOOST_TEST(summary.cells.front().marks.front().reason.find("A/A pair") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(two_runs_of_the_same_engine_are_never_told_apart) {
  std::mt19937_64 random(11);

  for (int run = 0; run < 20; ++run) {
    const double noise = 0.01 * (run % 5 + 1);
    const Summary summary = analyse(
        outcome(noisy(4, noise, random), noisy(4, noise, random), noisy(4, noise, random)), {});
    for (const Comparison& comparison : summary.cells.front().comparisons) {
      BOOST_TEST((comparison.of != comparison.against));
      BOOST_TEST((comparison.of.find("again") == std::string::npos));
    }
  }
}

BOOST_AUTO_TEST_CASE(nothing_is_claimed_of_an_invalid_series) {
  Outcome made = outcome({2, 2.01, 1.99, 2, 2}, kFour, kFour);
  made.cells[0].series[0].samples[3].load.kernelBackend = "epoll";

  const Summary summary = analyse(made, {});

  BOOST_TEST(!comparisonOf(summary).claimed);
  BOOST_TEST(says(summary, "no valid figures of CPU for 64 B at 50 connections"));
}

BOOST_AUTO_TEST_CASE(an_engine_without_the_workload_is_no_fault) {
  Outcome made = outcome(kFour, kFour, kFour);
  Series other{"libuv", false, {}, {}};
  other.samples.push_back({});
  other.samples.back().notServed = true;
  other.samples.back().fault = "there is no such workload";
  made.plan.engines.push_back("libuv");
  made.cells[0].series.push_back(other);

  const Summary summary = analyse(made, {});

  BOOST_TEST(!summary.cells[0].series.back().served);
  BOOST_TEST(summary.cells[0].series.back().marks.empty());
}

BOOST_AUTO_TEST_CASE(groups_are_geometric_means_beside_the_raw_loop) {
  Outcome made;
  made.complete = true;
  made.plan.profile = "speed";
  made.plan.engines = {"penstock-uring", "raw-epoll"};
  for (const double factor : {0.5, 2.0}) {
    Cell cell = echoCell();
    cell.group = "small echo";
    cell.size = factor < 1 ? 64 : 1024;
    made.plan.cells.push_back(cell);
    made.cells.push_back(
        {cell, 0, {series("penstock-uring", {4 * factor}), series("raw-epoll", kFour)}});
  }

  const Summary summary = analyse(made, {});

  BOOST_TEST(summary.reference == "raw-epoll");
  BOOST_REQUIRE(summary.groups.size() == 2U);
  BOOST_TEST(summary.groups[0].engine == "penstock-uring");
  BOOST_TEST(summary.groups[0].capacity == 1, boost::test_tools::tolerance(0.01));
  BOOST_TEST(summary.groups[0].cells == 2U);
}

BOOST_AUTO_TEST_CASE(an_open_loop_is_offered_its_share_of_the_slower_backend) {
  Outcome made = outcome(kFour, kFour, kFour);
  for (Sample& sample : made.cells[0].series[1].samples) sample.load.units = 60000;
  Cell cell = echoCell();
  cell.load = 0.5;

  const double rate = offeredRate(cell, made.cells);

  BOOST_TEST(rate == 60000,
             boost::test_tools::tolerance(1e-9));  // Half of 60,000 in half a second.
}

BOOST_AUTO_TEST_CASE(an_interrupted_run_says_so) {
  Outcome made = outcome(kFour, kFour, kFour);
  made.complete = false;

  const Summary summary = analyse(made, {});

  BOOST_REQUIRE(!summary.marks.empty());
  BOOST_TEST(summary.marks.front().reason.find("interrupted") != std::string::npos);
}
