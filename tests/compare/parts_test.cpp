// The parts of the comparison that need no server: histogram, pattern, statistics, /proc files.
#include <penstock/bench/compare/histogram.h>
#include <penstock/bench/compare/pattern.h>
#include <penstock/bench/compare/proc_file.h>
#include <penstock/bench/compare/run/statistics.h>
#include <penstock/bench/compare/run/system_calls.h>
#include <penstock/bench/compare/usage.h>
#include <penstock/bench/compare/workload.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <csignal>
#include <map>
#include <random>
#include <set>
#include <thread>

using namespace penstock::compare;

BOOST_AUTO_TEST_SUITE(parts_test)

namespace {

// What a sorted list says the percentile is.
std::uint64_t exactPercentile(std::vector<std::uint64_t> values, double percent) {
  std::sort(values.begin(), values.end());
  const auto rank =
      static_cast<std::size_t>(std::ceil(percent / 100 * static_cast<double>(values.size())));
  return values[rank == 0 ? 0 : rank - 1];
}

// A thread that was joined is in /proc until the kernel has done with it.
void awaitThreads(unsigned count) {
  constexpr std::int64_t kPatience = 5'000'000'000;
  const std::int64_t end = monotonicNs() + kPatience;
  while (usageOf(::getpid(), 0).threads > count && monotonicNs() < end) std::this_thread::yield();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(histogram)

BOOST_AUTO_TEST_CASE(percentiles_are_within_one_percent_of_those_of_a_sorted_list) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> durations(11, 2);
  Histogram histogram;
  std::vector<std::uint64_t> values;

  for (int i = 0; i < 20000; ++i) {
    values.push_back(static_cast<std::uint64_t>(durations(random)));
    histogram.record(values.back());
  }

  for (const double percent : {1.0, 50.0, 90.0, 99.0, 99.9, 100.0}) {
    const auto exact = static_cast<double>(exactPercentile(values, percent));
    BOOST_TEST(static_cast<double>(histogram.percentile(percent)) == exact,
               boost::test_tools::tolerance(0.01));
  }
}

BOOST_AUTO_TEST_CASE(small_values_are_exact) {
  Histogram histogram;

  for (std::uint64_t value = 0; value < 128; ++value) histogram.record(value);

  BOOST_TEST(histogram.percentile(50) == 63U);
  BOOST_TEST(histogram.largest() == 127U);
}

BOOST_AUTO_TEST_CASE(an_empty_one_has_no_percentiles) {
  const Histogram histogram;

  BOOST_TEST(histogram.count() == 0U);
  BOOST_TEST(histogram.percentile(99) == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_too_large_is_counted_as_the_largest) {
  Histogram histogram;

  histogram.record(~std::uint64_t{0});

  BOOST_TEST(histogram.count() == 1U);
  BOOST_TEST(histogram.percentile(100) <= Histogram::kLargest);
}

BOOST_AUTO_TEST_CASE(merging_is_recording_both) {
  Histogram one, other, both;
  for (std::uint64_t value : {10U, 2000U, 300000U}) {
    one.record(value);
    both.record(value);
  }
  for (std::uint64_t value : {7U, 90000U}) {
    other.record(value);
    both.record(value);
  }

  one.merge(other);

  BOOST_TEST(one.toJson() == both.toJson());
}

BOOST_AUTO_TEST_CASE(json_keeps_every_bucket) {
  Histogram histogram;
  for (std::uint64_t value = 1; value < 1'000'000'000; value = value * 3 + 1)
    histogram.record(value);

  const Histogram read = Histogram::fromJson(histogram.toJson());

  BOOST_TEST(read.toJson() == histogram.toJson());
  BOOST_TEST(read.percentile(75) == histogram.percentile(75));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(pattern)

BOOST_AUTO_TEST_CASE(a_single_flipped_bit_shows) {
  const Pattern& pattern = Pattern::scrambled();
  std::vector<std::byte> bytes(pattern.at(1234), pattern.at(1234) + 5000);
  BOOST_TEST(pattern.matches(1234, bytes.data(), bytes.size()));

  bytes[4321] ^= std::byte{1};

  BOOST_TEST(!pattern.matches(1234, bytes.data(), bytes.size()));
  BOOST_TEST(pattern.differing(1234, bytes.data(), bytes.size()) == 1U);
}

BOOST_AUTO_TEST_CASE(a_stream_that_slipped_by_any_message_shows) {
  const Pattern& pattern = Pattern::scrambled();

  for (const std::size_t size : {1U, 64U, 1024U, 4096U, 16384U, 65536U}) {
    BOOST_TEST(!pattern.matches(size, pattern.at(0), 64), "slipped by " << size);
  }
}

BOOST_AUTO_TEST_CASE(the_counting_pattern_is_the_position_modulo_251) {
  const Pattern& pattern = Pattern::counting();

  for (std::uint64_t position : {0U, 250U, 251U, 1000U, 123456789U}) {
    BOOST_TEST(std::to_integer<unsigned>(*pattern.at(position)) == position % 251);
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(statistics)

BOOST_AUTO_TEST_CASE(the_median_is_the_middle_or_the_mean_of_the_middle_two) {
  BOOST_TEST(median({9, 1, 5}) == 5);
  BOOST_TEST(median({4, 1, 2, 9}) == 3);
  BOOST_TEST(median({7}) == 7);
}

BOOST_AUTO_TEST_CASE(the_interval_holds_the_median_and_lies_within_the_values) {
  const std::vector<double> values{10, 12, 11, 15, 9, 10.5, 11.5};

  const Estimate result = estimate(values);

  BOOST_TEST(result.median == 11);
  BOOST_TEST(result.interval.low == 9);
  BOOST_TEST(result.interval.high == 15);
}

BOOST_AUTO_TEST_CASE(intervals_hold_the_true_median_as_often_as_they_say) {
  std::mt19937_64 random(3);
  std::lognormal_distribution<double> values(0, 0.5);
  constexpr int kRuns = 2000;
  for (const std::size_t count : {6U, 7U, 8U, 9U, 15U, 30U, 60U}) {
    int held = 0;
    for (int run = 0; run < kRuns; ++run) {
      std::vector<double> drawn(count);
      for (double& value : drawn) value = values(random);
      const Interval interval = estimate(drawn).interval;
      held += interval.low <= 1 && interval.high >= 1;
    }

    BOOST_TEST(held >= kRuns * 0.94, count << " values: " << held);
  }
}

BOOST_AUTO_TEST_CASE(the_centre_is_moved_little_by_an_outlier) {
  const Estimate clean = centre({10, 11, 9, 10.5, 9.5, 10, 10.2, 9.8});
  const Estimate spoilt = centre({10, 11, 9, 10.5, 9.5, 10, 10.2, 98});

  BOOST_TEST(clean.median == 10, boost::test_tools::tolerance(0.001));
  BOOST_TEST(spoilt.median == 10.25, boost::test_tools::tolerance(0.01));
}

BOOST_AUTO_TEST_CASE(intervals_of_centres_hold_as_often_as_they_say_and_are_narrower) {
  std::mt19937_64 random(4);
  std::normal_distribution<double> values(1, 0.1);
  constexpr int kRuns = 2000;
  for (const std::size_t count : {6U, 8U, 15U, 30U, 60U}) {
    int held = 0;
    double width = 0;
    double widthOfMedians = 0;
    for (int run = 0; run < kRuns; ++run) {
      std::vector<double> drawn(count);
      for (double& value : drawn) value = values(random);
      const Interval interval = centre(drawn).interval;
      held += interval.low <= 1 && interval.high >= 1;
      width += interval.high - interval.low;
      widthOfMedians += estimate(drawn).interval.high - estimate(drawn).interval.low;
    }

    BOOST_TEST(held >= kRuns * 0.94, count << " values: " << held);
    if (count >= 15) BOOST_TEST(width < widthOfMedians * 0.9, count << " values");
  }
}

BOOST_AUTO_TEST_CASE(more_values_make_a_narrower_interval_for_any_distribution) {
  BOOST_TEST(exactRank(1) == 0U);
  BOOST_TEST(exactRank(8) == 0U);
  BOOST_TEST(exactRank(9) == 1U);
  BOOST_TEST(exactRank(15) == 3U);
  BOOST_TEST(exactRank(30) == 9U);
}

BOOST_AUTO_TEST_CASE(intervals_that_touch_are_not_apart) {
  BOOST_TEST(!apart({1, 2}, {2, 3}));
  BOOST_TEST(apart({1, 2}, {2.1, 3}));
  BOOST_TEST(apart({2.1, 3}, {1, 2}));
}

BOOST_AUTO_TEST_CASE(a_doubling_and_a_halving_have_the_geometric_mean_of_one) {
  BOOST_TEST(geometricMean({2, 0.5}) == 1, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(proc)

BOOST_AUTO_TEST_CASE(numbers_are_found_between_words_and_too_large_ones_do_not_break_the_rest) {
  const auto numbers = numbersIn("cpu0 12 -3 18446744073709551615 4x5");

  const std::vector<std::int64_t> wanted{0, 12, -3, std::numeric_limits<std::int64_t>::max(), 4, 5};
  BOOST_TEST(numbers == wanted, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(a_label_leads_to_its_number_and_a_missing_one_to_the_default) {
  const std::string text = "Name:\tx\nVmRSS:\t  1234 kB\nThreads:\t7\n";

  BOOST_TEST(numberAfter(text, "VmRSS:") == 1234);
  BOOST_TEST(numberAfter(text, "VmSwap:", -1) == -1);
}

BOOST_AUTO_TEST_CASE(of_a_trace_the_calls_that_began_in_the_window_count) {
  const auto calls = callsInTrace(
      "4711 99.999000 accept4(0x3, 0, 0, 0x80800) = 0x5\n"
      "4711 100.000000 recvfrom(0x5, 0x7f0000, 0x10000, 0, 0, 0) = 0x40\n"
      "4712 100.100000 io_uring_enter(0x4, 0, 0x1, 0x1, 0, 0 <unfinished ...>\n"
      "4711 100.200000 recvfrom(0x5, 0x7f0000, 0x10000, 0, 0, 0) = -1 EAGAIN\n"
      "4712 100.300000 <... io_uring_enter resumed>) = 0\n"
      "4711 100.400000 +++ exited with 0 +++\n"
      "4711 100.500000 close(0x5) = 0\n",
      100, 100.5);

  const std::map<std::string, double> wanted{{"io_uring_enter", 1}, {"recvfrom", 2}};
  BOOST_TEST((calls == wanted));
}

// The same accounting from the other side: what this process used, by its own clock.
BOOST_AUTO_TEST_CASE(cpu_of_all_threads_is_counted_those_that_have_ended_too) {
  const Usage before = usageOf(::getpid(), 0);
  const std::int64_t ownBefore = ownCpuNs();

  std::thread worker([ownBefore] {
    constexpr std::int64_t kWork = 20'000'000;
    while (ownCpuNs() - ownBefore < kWork) {
    }
  });
  worker.join();
  awaitThreads(before.threads);
  const std::int64_t own = ownCpuNs() - ownBefore;
  const Usage used = usageOf(::getpid(), 0) - before;

  BOOST_TEST(static_cast<double>(used.cpuNs) == static_cast<double>(own),
             boost::test_tools::tolerance(0.25));
  BOOST_TEST(used.threads == before.threads);
}

BOOST_AUTO_TEST_CASE(a_thread_that_ends_does_not_make_waits_and_switches_negative) {
  std::atomic<bool> ends = false;
  std::thread worker([&ends] {
    while (!ends) std::this_thread::sleep_for(std::chrono::microseconds(50));
  });
  Usage before = usageOf(::getpid(), 0);
  while (before.voluntary < 100) before = usageOf(::getpid(), 0);

  ends = true;
  worker.join();
  awaitThreads(before.threads - 1);
  const Usage used = usageOf(::getpid(), 0) - before;

  BOOST_TEST(used.voluntary >= 0);
  BOOST_TEST(used.waitNs >= 0);
}

BOOST_AUTO_TEST_CASE(a_process_is_quiet_when_none_of_its_threads_runs) {
  constexpr std::int64_t kShort = 20'000'000;
  constexpr std::int64_t kPatience = 5'000'000'000;
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }

  BOOST_TEST(awaitQuiet(child, kPatience));
  BOOST_TEST(!awaitQuiet(::getpid(), kShort), "it runs, to ask");
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

BOOST_AUTO_TEST_CASE(a_process_that_is_gone_is_an_error_and_not_zero) {
  constexpr pid_t kNobody = 0x3FFFFFFF;

  BOOST_CHECK_THROW(usageOf(kNobody, 0), std::runtime_error);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(registry)

BOOST_AUTO_TEST_CASE(every_workload_of_the_plan_has_registered_itself) {
  for (const char* name : {"echo", "stream", "relay", "churn", "idle", "timers", "compute"}) {
    BOOST_TEST(findWorkload(name) != nullptr, name);
  }
  for (const char* name : {"echo", "sink", "source", "relay", "splice", "timers", "compute"}) {
    BOOST_TEST(findService(name) != nullptr, name);
  }
}

BOOST_AUTO_TEST_CASE(cells_have_different_names_and_survive_json) {
  for (const Profile profile :
       {Profile::kQuick, Profile::kStandard, Profile::kFull, Profile::kSpeed}) {
    std::set<std::string> names;
    for (const Workload& workload : workloads()) {
      for (const Cell& cell : workload.cells(profile)) {
        BOOST_TEST(names.insert(nameOf(cell)).second, nameOf(cell) << " is there twice");
        BOOST_TEST((cellFromJson(toJson(cell)) == cell), nameOf(cell));
        BOOST_TEST(!workload.describe(cell).empty());
      }
    }
    BOOST_TEST(!names.empty());
  }
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_CASE(words_with_paths_are_not_published) {
  BOOST_TEST(withoutPaths("cannot open /home/me/file for me") == "cannot open … for me");
  BOOST_TEST(withoutPaths("-O3 -I/home/me -g") == "-O3 … -g");
  BOOST_TEST(withoutPaths("") == "");
  BOOST_TEST(withoutPaths("two  blanks ") == "two  blanks ");
}

BOOST_AUTO_TEST_SUITE_END()
