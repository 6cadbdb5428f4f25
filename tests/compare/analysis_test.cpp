// What is claimed, and what is not.
#include <penstock/bench/compare/run/analysis.h>
#include <penstock/bench/compare/run/sentences.h>
#include <penstock/tests/compare/outcomes.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>

using namespace outcomes;

BOOST_AUTO_TEST_SUITE(analysis_test)

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
  const Summary summary = analyse(outcome(about(3), kFour, kFour), {});

  BOOST_TEST(wordsOf(comparisonOf(summary)) == "less");
  BOOST_TEST(comparisonOf(summary).ratio().median == 0.75, boost::test_tools::tolerance(0.01));
  BOOST_TEST(says(summary, "io_uring needs less CPU in 1 of 1 cells, down to 0.75x (echo, 64 B"));
}

BOOST_AUTO_TEST_CASE(a_clear_loss_is_said_as_plainly) {
  const Summary summary = analyse(outcome(about(4.8), kFour, kFour), {});

  BOOST_TEST(wordsOf(comparisonOf(summary)) == "more");
  BOOST_TEST(says(summary, "io_uring needs more CPU in 1 of 1 cells, up to 1.20x (echo, 64 B"));
}

BOOST_AUTO_TEST_CASE(what_is_the_same_is_said_with_its_bounds) {
  const Summary summary = analyse(outcome(kFour, kFour, kFour), {});

  BOOST_TEST(wordsOf(comparisonOf(summary)) == "the same within 1 %");
  BOOST_TEST(says(summary, "the same CPU in 1 (within 1 %), not told apart in 0"));
}

BOOST_AUTO_TEST_CASE(what_is_not_told_apart_is_said_with_its_interval) {
  std::vector<double> wild = kFour;
  for (std::size_t i = 0; i < wild.size(); ++i) wild[i] *= 0.8 + 0.4 * double(i * 7 % 30) / 29;

  const Summary summary = analyse(outcome(wild, kFour, kFour), {});

  BOOST_TEST(wordsOf(comparisonOf(summary)).starts_with("not told apart: between 0.9"));
  BOOST_TEST(says(summary, "not told apart in 1"));
}

// Five per cent, in every round; but two servers of one engine are ten per cent apart as well.
BOOST_AUTO_TEST_CASE(a_difference_under_that_of_the_pair_is_not_claimed) {
  const Summary summary = analyse(outcome(about(3.8), kFour, about(4.4)), {});

  BOOST_TEST(!comparisonOf(summary).differs());
  BOOST_TEST(*comparisonOf(summary).verdict.sees > 0.09);
}

BOOST_AUTO_TEST_CASE(a_pair_that_disagrees_is_told) {
  const Summary summary = analyse(outcome(kFour, kFour, about(4.4)), {});

  BOOST_REQUIRE(!summary.cells.front().marks.empty());
  BOOST_TEST((summary.cells.front().marks.front().grade == Grade::kWarn));
  BOOST_TEST(summary.cells.front().marks.front().reason.find("A/A pair") != std::string::npos);
  BOOST_TEST(says(summary, "lie within 2 % in 0 of 1 cells, and are told apart in 1"));
}

BOOST_AUTO_TEST_CASE(the_pair_is_judged_like_any_other_and_its_verdict_is_kept) {
  const Summary same = analyse(outcome(kFour, kFour, kFour), {});
  const Summary apart = analyse(outcome(kFour, kFour, about(4.4)), {});

  BOOST_REQUIRE(same.cells.front().pair("cpu_us") != nullptr);
  BOOST_TEST(same.cells.front().pair("cpu_us")->of == "penstock-epoll (again)");
  BOOST_TEST(!same.cells.front().pair("cpu_us")->differs());
  BOOST_TEST(apart.cells.front().pair("cpu_us")->differs());
}

BOOST_AUTO_TEST_CASE(what_each_cell_could_tell_apart_is_part_of_the_summary) {
  const Summary summary = analyse(outcome(about(3), kFour, kFour), {});

  const Comparison* main = summary.cells.front().main();
  BOOST_REQUIRE(main != nullptr);
  BOOST_TEST(*main->verdict.sees > 0.01);
  BOOST_TEST(*main->verdict.sees < 0.03);
  BOOST_TEST(says(summary, "this run sees differences from"));
}

BOOST_AUTO_TEST_CASE(five_rounds_claim_nothing_however_clear) {
  const Summary summary = analyse(outcome(about(2, 5), about(4, 5), about(4, 5)), {});

  BOOST_TEST(!comparisonOf(summary).differs());
  BOOST_TEST(says(summary, "what this run can see is not known"));
}

BOOST_AUTO_TEST_CASE(at_no_time_are_there_more_than_eight_sentences) {
  Outcome made = outcome(about(2), kFour, kFour);
  for (const double load : {0.0, 0.5}) {
    for (const auto client : {kEpollClient, kUringClient}) {
      made.cells.push_back(made.cells.front());
      made.cells.back().cell.client = client;
      made.cells.back().cell.load = load;
      made.cells.back().ratePerSecond = made.cells.back().wantedRate = load > 0 ? 200000 : 0;
    }
  }

  BOOST_TEST(analyse(made, {}).sentences.size() <= 8U);
}

BOOST_AUTO_TEST_CASE(a_build_that_is_invalid_makes_every_series_so) {
  const Summary summary =
      analyse(outcome(about(2), kFour, kFour), {{Grade::kInvalid, "built with a sanitizer"}});

  for (const SeriesSummary& series : summary.cells.front().series) BOOST_TEST(!series.valid());
  BOOST_TEST(wordsOf(comparisonOf(summary)) == "not valid");
  BOOST_TEST(!says(summary, "CPU"));
}

BOOST_AUTO_TEST_CASE(marks_of_cells_are_counted_for_the_run) {
  Outcome made = outcome(kFour, kFour, kFour);
  for (const std::size_t at : {0U, 2U}) {
    for (Slice& slice : made.cells[0].series[at].sample.load.slices) {
      slice.server.waitNs = 10'000'000;
    }
  }
  made.cells[0].series[1].sample.load.kernelBackend = "both";

  const Summary summary = analyse(made, {});

  BOOST_REQUIRE(summary.marks.size() == 2U);
  BOOST_TEST((summary.marks[0].grade == Grade::kInvalid));
  BOOST_TEST(summary.marks[0].reason ==
             "1 of 3 results: backend is both by its descriptors, not epoll");
  BOOST_TEST(summary.marks[1].reason.starts_with("2 of 3 results: the server waited"));
}

BOOST_AUTO_TEST_CASE(throughput_is_not_compared_where_the_client_was_the_limit_and_cpu_is) {
  Outcome made = outcome(about(2), kFour, kFour);
  auto& slices = made.cells[0].series[0].sample.load.slices;
  for (Slice& slice : slices) slice.units *= 2;
  const bool before = comparisonOf(analyse(made, {}), "rate").differs();
  for (Slice& slice : slices) slice.clientCpuNs = 45'000'000;

  const Summary summary = analyse(made, {});

  BOOST_TEST(before);
  BOOST_TEST(!comparisonOf(summary, "rate").valid);
  BOOST_TEST(comparisonOf(summary).differs());
}

BOOST_AUTO_TEST_CASE(latency_is_not_compared_where_the_client_was_late_and_cpu_is) {
  Outcome made = outcome(about(2), kFour, kFour);
  made.cells[0].cell.load = 0.5;
  made.cells[0].ratePerSecond = made.cells[0].wantedRate = 200000;
  made.cells[0].series[0].sample.load.lateness = made.cells[0].series[0].sample.load.latency;

  const Summary summary = analyse(made, {});

  BOOST_TEST(!comparisonOf(summary, "p99_us").valid);
  BOOST_TEST(comparisonOf(summary).differs());
}

BOOST_AUTO_TEST_CASE(the_library_is_held_against_loops_written_by_hand) {
  Outcome made = outcome(kFour, kFour, kFour);
  made.plan.engines.push_back("raw-uring");
  made.cells[0].series.push_back(series("raw-uring", about(3.6)));

  const Summary summary = analyse(made, {});

  const Comparison* found = summary.cells.front().compare("penstock-uring", "raw-uring", "cpu_us");
  BOOST_REQUIRE(found != nullptr);
  BOOST_TEST(wordsOf(*found) == "more");
}

// Each slice has a handful of ticks, so they are added up before they are divided.
BOOST_AUTO_TEST_CASE(user_and_system_time_come_from_the_ticks_of_all_slices) {
  Outcome made = outcome(kFour, kFour, kFour);
  int at = 0;
  for (Slice& slice : made.cells[0].series[0].sample.load.slices) {
    slice.server.userTicks = at++ < 10 ? 1 : 0;
    slice.server.systemTicks = at == 30 ? 30 : 0;
  }

  const Summary summary = analyse(made, {});

  BOOST_TEST(summary.cells[0].series[0].find("user_us")->median == 1,  // 10 of 40 ticks, of 4 us.
             boost::test_tools::tolerance(0.01));
}

BOOST_AUTO_TEST_CASE(where_messages_met_both_clients_both_gains_are_said) {
  Outcome made = outcome(about(3.8), kFour, kFour);
  made.cells.push_back(outcome(about(3), kFour, kFour).cells.front());
  made.cells.back().cell.client = kUringClient;

  const Summary summary = analyse(made, {});

  BOOST_TEST(says(summary, "0.95x with one on epoll, 0.75x with one on io_uring"));
  BOOST_TEST(summary.cells[1].description.ends_with("client on io_uring"));
}

BOOST_AUTO_TEST_CASE(nothing_is_claimed_of_an_invalid_series) {
  Outcome made = outcome(about(2), kFour, kFour);
  made.cells[0].series[0].sample.load.kernelBackend = "epoll";

  const Summary summary = analyse(made, {});

  BOOST_TEST(wordsOf(comparisonOf(summary)) == "not valid");
}

BOOST_AUTO_TEST_CASE(an_engine_without_the_workload_is_no_fault) {
  Outcome made = outcome(kFour, kFour, kFour);
  Series other{"libuv", false};
  other.sample.notServed = true;
  other.sample.fault = "there is no such workload";
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
        {cell, 0, {series("penstock-uring", about(4 * factor)), series("raw-epoll", kFour)}});
  }

  const Summary summary = analyse(made, {});

  BOOST_TEST(summary.reference == "raw-epoll");
  BOOST_REQUIRE(summary.groups.size() == 2U);
  BOOST_TEST(summary.groups[0].engine == "penstock-uring");
  BOOST_TEST(summary.groups[0].mean.comparison.ratio().median == 1,
             boost::test_tools::tolerance(0.01));
  BOOST_TEST(summary.groups[0].mean.cells == 2U);
}

BOOST_AUTO_TEST_CASE(an_open_loop_is_offered_its_share_of_the_slower_backend) {
  Outcome made = outcome(kFour, kFour, kFour);
  for (Slice& slice : made.cells[0].series[1].sample.load.slices) slice.units = 6000;
  Cell cell = echoCell();
  cell.load = 0.5;

  const double rate = offeredRate(cell, made.cells);

  BOOST_TEST(rate == 60000,
             boost::test_tools::tolerance(1e-9));  // Half of 6,000 in 50 ms.
}

BOOST_AUTO_TEST_CASE(an_interrupted_run_says_so) {
  Outcome made = outcome(kFour, kFour, kFour);
  made.complete = false;

  const Summary summary = analyse(made, {});

  BOOST_REQUIRE(!summary.marks.empty());
  BOOST_TEST(summary.marks.front().reason.find("interrupted") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
