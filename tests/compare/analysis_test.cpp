// What is claimed, and what is not.
#define BOOST_TEST_MODULE compare_analysis
#include <penstock/bench/compare/run/analysis.h>
#include <penstock/tests/compare/outcomes.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>

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

BOOST_AUTO_TEST_CASE(where_many_cells_have_no_difference_some_are_named_and_the_rest_counted) {
  Outcome made = outcome(kFour, kFour, kFour);
  made.cells.assign(6, made.cells.front());
  const Summary six = analyse(made, {});
  made.cells.assign(28, made.cells.front());
  const Summary many = analyse(made, {});

  BOOST_TEST(!says(six, "more."));
  BOOST_TEST(says(many, "64 B at 50 connections and 23 more."));
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

BOOST_AUTO_TEST_CASE(the_pair_is_judged_like_any_other_and_its_verdict_is_kept) {
  const Summary same = analyse(outcome(kFour, kFour, {4.03, 3.97, 4.01, 3.98, 4.02}), {});
  const Summary apart = analyse(outcome(kFour, kFour, {4.40, 4.41, 4.39, 4.40, 4.40}), {});

  BOOST_REQUIRE(same.cells.front().pair("cpu_us") != nullptr);
  BOOST_TEST(same.cells.front().pair("cpu_us")->of == "penstock-epoll (again)");
  BOOST_TEST(!same.cells.front().pair("cpu_us")->claimed);
  BOOST_TEST(apart.cells.front().pair("cpu_us")->claimed);
}

BOOST_AUTO_TEST_CASE(four_repetitions_claim_nothing_however_clear) {
  const Summary summary =
      analyse(outcome({2, 2.01, 1.99, 2}, {4, 4.01, 3.99, 4}, {4, 4.01, 3.99, 4}), {});

  BOOST_TEST(!comparisonOf(summary).claimed);
}

BOOST_AUTO_TEST_CASE(without_a_valid_pair_nothing_is_claimed) {
  Outcome made = outcome({2, 2.01, 1.99, 2, 2}, kFour, kFour);
  for (Sample& sample : made.cells[0].series[2].samples) sample.fault = "it died";

  const Summary summary = analyse(made, {});

  BOOST_TEST(!comparisonOf(summary).claimed);
}

BOOST_AUTO_TEST_CASE(a_build_that_is_invalid_makes_every_series_so) {
  const Summary summary = analyse(outcome({2, 2.01, 1.99, 2, 2}, kFour, kFour),
                                  {{Grade::kInvalid, "built with a sanitizer"}});

  for (const SeriesSummary& series : summary.cells.front().series) BOOST_TEST(!series.valid());
  BOOST_TEST(!comparisonOf(summary).claimed);
  BOOST_TEST(says(summary, "no valid figures of CPU of io_uring and epoll"));
  BOOST_TEST(!says(summary, "no difference"));
}

BOOST_AUTO_TEST_CASE(marks_of_cells_are_counted_for_the_run) {
  Outcome made = outcome(kFour, kFour, kFour);
  for (const std::size_t at : {0U, 2U}) {
    for (Sample& sample : made.cells[0].series[at].samples) sample.load.server.waitNs = 50'000'000;
  }
  made.cells[0].series[1].samples[0].load.kernelBackend = "both";

  const Summary summary = analyse(made, {});

  BOOST_REQUIRE(summary.marks.size() == 2U);
  BOOST_TEST((summary.marks[0].grade == Grade::kInvalid));
  BOOST_TEST(summary.marks[0].reason ==
             "1 of 3 results: backend is both by its descriptors, not epoll");
  BOOST_TEST(summary.marks[1].reason.starts_with("2 of 3 results: the server waited"));
}

BOOST_AUTO_TEST_CASE(throughput_is_not_compared_where_the_client_was_the_limit) {
  Outcome made = outcome({2, 2.01, 1.99, 2, 2}, kFour, kFour);
  for (Sample& sample : made.cells[0].series[0].samples) sample.load.units *= 2;
  const bool before = comparisonOf(analyse(made, {}), "rate").claimed;
  for (Sample& sample : made.cells[0].series[0].samples) sample.load.clientCpuNs = 450'000'000;

  const Summary summary = analyse(made, {});

  BOOST_TEST(before);
  BOOST_TEST(!comparisonOf(summary, "rate").claimed);
  BOOST_TEST(comparisonOf(summary).claimed);
}

BOOST_AUTO_TEST_CASE(the_library_is_held_against_loops_written_by_hand) {
  Outcome made = outcome(kFour, kFour, kFour);
  made.plan.engines.push_back("raw-uring");
  made.cells[0].series.push_back(series("raw-uring", {3.60, 3.62, 3.58, 3.60, 3.60}));

  const Summary summary = analyse(made, {});

  BOOST_TEST(says(summary, "penstock-uring needs 1.11x the CPU of raw-uring for 64 B"));
  BOOST_TEST(says(summary, "mean of the saturated cells: raw-uring 0.90x [0.90, 0.90]"));
}

// Each repetition has a handful of ticks, so they are added up before they are divided.
BOOST_AUTO_TEST_CASE(user_and_system_time_come_from_the_ticks_of_all_repetitions) {
  Outcome made = outcome(kFour, kFour, kFour);
  int at = 0;
  for (Sample& sample : made.cells[0].series[0].samples) {
    sample.load.server.userTicks = at;
    sample.load.server.systemTicks = at++ == 4 ? 30 : 0;
  }

  const Summary summary = analyse(made, {});

  BOOST_TEST(summary.cells[0].series[0].find("user_us")->median == 1,  // 10 of 40 ticks, of 4 us.
             boost::test_tools::tolerance(0.01));
}

BOOST_AUTO_TEST_CASE(latency_is_had_and_cpu_is_needed) {
  Outcome made = outcome(kFour, kFour, kFour);
  made.cells[0].cell.load = 0.5;
  made.cells[0].ratePerSecond = 200000;
  for (Sample& sample : made.cells[0].series[0].samples) {
    sample.load.latency.clear();
    for (std::uint64_t ns = 50'000; ns < 200'000; ns += 1000) sample.load.latency.record(ns);
  }

  const Summary summary = analyse(made, {});

  BOOST_TEST(says(summary, "io_uring has 0.50x the p99 latency of epoll"));
}

BOOST_AUTO_TEST_CASE(nothing_is_claimed_of_an_invalid_series) {
  Outcome made = outcome({2, 2.01, 1.99, 2, 2}, kFour, kFour);
  made.cells[0].series[0].samples[3].load.kernelBackend = "epoll";

  const Summary summary = analyse(made, {});

  BOOST_TEST(!comparisonOf(summary).claimed);
  BOOST_TEST(
      says(summary, "no valid figures of CPU of io_uring and epoll for 64 B at 50 connections"));
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
  BOOST_TEST(summary.groups[0].mean.comparison.ratio.median == 1,
             boost::test_tools::tolerance(0.01));
  BOOST_TEST(summary.groups[0].mean.cells == 2U);
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
