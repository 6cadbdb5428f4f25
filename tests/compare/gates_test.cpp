// What makes a figure doubtful or worthless, and that nothing else does.
#define BOOST_TEST_MODULE compare_gates
#include <penstock/bench/compare/environment.h>
#include <penstock/bench/compare/run/gates.h>
#include <penstock/tests/compare/outcomes.h>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <nlohmann/json.hpp>

using namespace outcomes;

namespace {

// The marks of io_uring at the cell, after `change` was made to each of its samples.
std::vector<Mark> marksAfter(const std::function<void(Sample&)>& change, Cell cell = echoCell()) {
  Series changed = series("penstock-uring", kFour);
  for (Sample& sample : changed.samples) change(sample);
  CellResult result{cell, cell.open() ? 100000.0 : 0.0, {}};
  return marksOf(changed, result);
}

bool has(const std::vector<Mark>& marks, Grade grade, const std::string& words) {
  return std::any_of(marks.begin(), marks.end(), [&](const Mark& mark) {
    return mark.grade == grade && mark.reason.find(words) != mark.reason.npos;
  });
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_clean_series_has_no_marks) {
  const auto marks = marksAfter([](Sample&) {});

  BOOST_TEST(marks.empty(), (marks.empty() ? std::string() : marks.front().reason));
}

BOOST_AUTO_TEST_CASE(another_backend_than_claimed_by_its_descriptors_is_invalid) {
  const auto marks = marksAfter([](Sample& sample) { sample.load.kernelBackend = "epoll"; });

  BOOST_TEST(has(marks, Grade::kInvalid, "backend is epoll"));
}

BOOST_AUTO_TEST_CASE(another_backend_than_claimed_by_what_it_prints_is_invalid) {
  const auto marks = marksAfter([](Sample& sample) { sample.printedBackend = "epoll"; });

  BOOST_TEST(has(marks, Grade::kInvalid, "says that its backend is epoll"));
}

BOOST_AUTO_TEST_CASE(both_backends_at_once_is_invalid) {
  const auto marks = marksAfter([](Sample& sample) { sample.load.kernelBackend = "both"; });

  BOOST_TEST(has(marks, Grade::kInvalid, "backend is both"));
}

BOOST_AUTO_TEST_CASE(a_ring_beside_epoll_is_libuvs_own_way) {
  Series libuv = series("libuv", kFour);
  for (Sample& sample : libuv.samples) sample.load.kernelBackend = "both";
  CellResult result;
  result.cell = echoCell();

  const auto marks = marksOf(libuv, result);

  BOOST_TEST(!has(marks, Grade::kInvalid, "backend"));
}

BOOST_AUTO_TEST_CASE(a_fault_in_one_repetition_makes_the_series_invalid) {
  int at = 0;
  const auto marks = marksAfter([&at](Sample& sample) {
    if (at++ == 2) sample.fault = "wrong bytes: 1 differ";
  });

  BOOST_TEST(has(marks, Grade::kInvalid, "wrong bytes"));
  BOOST_TEST(has(marks, Grade::kInvalid, "1 of 5"));
}

BOOST_AUTO_TEST_CASE(a_client_that_is_the_limit_is_told) {
  const auto marks = marksAfter([](Sample& sample) {
    sample.load.clientCpuNs = 450'000'000;
    sample.load.server.machineBusyTicks += 15;
  });

  BOOST_TEST(has(marks, Grade::kWarn, "the load generator used 90 %"));
}

// The server being full as well does not prove that the client was not the limit.
BOOST_AUTO_TEST_CASE(a_client_over_85_percent_is_told_even_beside_a_full_server) {
  const auto marks = marksAfter([](Sample& sample) {
    sample.load.server.cpuNs = 499'000'000;
    sample.load.clientCpuNs = 450'000'000;
    sample.load.server.machineBusyTicks = 95;
  });

  BOOST_TEST(has(marks, Grade::kWarn, "the load generator used 90 %"));
}

BOOST_AUTO_TEST_CASE(latencies_that_lie_apart_are_told_in_an_open_loop) {
  Cell cell = echoCell();
  cell.load = 0.5;
  std::uint64_t ns = 100'000;
  const auto marks = marksAfter(
      [&ns](Sample& sample) {
        sample.load.latency.clear();
        sample.load.latency.record(ns += 30'000);
      },
      cell);

  BOOST_TEST(has(marks, Grade::kWarn, "latency"));
}

BOOST_AUTO_TEST_CASE(a_window_without_time_is_invalid) {
  const auto marks = marksAfter([](Sample& sample) { sample.load.server.atNs = -5; });

  BOOST_TEST(has(marks, Grade::kInvalid, "clock"));
}

BOOST_AUTO_TEST_CASE(a_busy_client_does_not_matter_in_an_open_loop) {
  Cell cell = echoCell();
  cell.load = 0.5;
  const auto marks = marksAfter(
      [](Sample& sample) {
        sample.load.units = 50000;
        sample.load.clientCpuNs = 490'000'000;
        sample.load.server.machineBusyTicks += 19;
      },
      cell);

  BOOST_TEST(!has(marks, Grade::kWarn, "load generator"));
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_keep_up_with_an_open_loop_is_told) {
  Cell cell = echoCell();
  cell.load = 0.9;
  const auto slow = [&cell](double unanswered) {
    return marksAfter(
        [unanswered](Sample& sample) {
          sample.load.units = 40000;
          sample.load.extra["backlog_messages"] = unanswered;
        },
        cell);
  };

  BOOST_TEST(has(slow(10000), Grade::kWarn, "the server kept up with 80 %"));
  BOOST_TEST(has(slow(100), Grade::kInvalid, "the load generator started 80 %"));
}

BOOST_AUTO_TEST_CASE(latency_that_is_the_clients_own_lateness_is_no_latency_of_the_server) {
  Cell cell = echoCell();
  cell.load = 0.9;
  const auto late = [&cell](double share) {
    return marksAfter(
        [share](Sample& sample) {
          sample.load.units = 40000;
          for (double us = 100; us < 400; us += 1) {
            sample.load.lateness.record(static_cast<std::uint64_t>(us * 1000 * share));
          }
        },
        cell);
  };

  BOOST_TEST(has(late(0.6), Grade::kInvalid, "the load generator started its messages late"));
  BOOST_TEST(!has(late(0.6), Grade::kWarn, "kept up"), "the server is blamed");
  BOOST_TEST(has(late(0.3), Grade::kWarn, "the load generator started its messages late"));
  BOOST_TEST(!has(late(0.1), Grade::kWarn, "late"));
}

BOOST_AUTO_TEST_CASE(less_than_the_cell_asks_for_is_told) {
  Cell cell = echoCell();
  cell.load = 0.9;
  CellResult result{cell, 80000, {}, 100000};

  const auto marks = marksOf(series("penstock-uring", kFour), result);

  BOOST_TEST(has(marks, Grade::kWarn, "offered 80 %"));
}

BOOST_AUTO_TEST_CASE(a_neighbour_is_doubtful_and_a_greedy_one_makes_it_worthless) {
  const auto some = marksAfter([](Sample& s) { s.load.server.machineBusyTicks += 6; });
  const auto much = marksAfter([](Sample& s) { s.load.server.machineBusyTicks += 25; });

  BOOST_TEST(has(some, Grade::kWarn, "other load on the machine"));
  BOOST_TEST(has(much, Grade::kInvalid, "other load on the machine"));
}

BOOST_AUTO_TEST_CASE(a_server_that_waits_for_its_core_is_told) {
  const auto marks = marksAfter([](Sample& s) { s.load.server.waitNs = 50'000'000; });

  BOOST_TEST(has(marks, Grade::kWarn, "waited 10 %"));
}

BOOST_AUTO_TEST_CASE(a_hypervisor_that_takes_time_is_told) {
  const auto marks = marksAfter([](Sample& s) { s.load.server.stolenTicks = 10; });

  BOOST_TEST(has(marks, Grade::kWarn, "hypervisor"));
}

BOOST_AUTO_TEST_CASE(work_in_ksoftirqd_is_told) {
  const auto marks = marksAfter([](Sample& s) {
    s.load.server.softirqNs = 40'000'000;
    s.load.server.machineBusyTicks += 4;
  });

  BOOST_TEST(has(marks, Grade::kWarn, "ksoftirqd"));
}

BOOST_AUTO_TEST_CASE(server_and_client_on_one_core_is_invalid) {
  const auto marks = marksAfter([](Sample& sample) { sample.load.clientCore = 0; });

  BOOST_TEST(has(marks, Grade::kInvalid, "one core"));
}

BOOST_AUTO_TEST_CASE(a_wide_spread_is_told) {
  double factor = 1;
  const auto marks = marksAfter([&factor](Sample& sample) {
    sample.load.server.cpuNs =
        static_cast<std::int64_t>(static_cast<double>(sample.load.server.cpuNs) * factor);
    factor *= 0.92;
  });

  BOOST_TEST(has(marks, Grade::kWarn, "apart"));
}

BOOST_AUTO_TEST_CASE(four_repetitions_are_too_few) {
  const Series few = series("penstock-uring", {4, 4, 4, 4});

  const auto marks = marksOf(few, {echoCell(), 0, {}});

  BOOST_TEST(has(marks, Grade::kWarn, "only 4 repetitions"));
}

BOOST_AUTO_TEST_CASE(memory_that_grows_under_a_slow_sink_is_invalid) {
  const auto marks = marksAfter([](Sample& sample) { sample.load.extra["growth_mib"] = 200; });

  BOOST_TEST(has(marks, Grade::kInvalid, "memory is not bounded"));
}

BOOST_AUTO_TEST_CASE(the_build_is_looked_at) {
  const bool optimised = captureEnvironment()["build"]["optimised"];

  const auto marks = marksOfMachine(Plan{});

  BOOST_TEST(has(marks, Grade::kInvalid, "without optimisation") == !optimised);
}
