// What makes a figure doubtful or worthless, and that nothing else does.
#include <penstock/bench/compare/environment.h>
#include <penstock/bench/compare/run/gates.h>
#include <penstock/tests/compare/outcomes.h>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <nlohmann/json.hpp>

using namespace outcomes;

BOOST_AUTO_TEST_SUITE(gates_test)

namespace {

// The marks of io_uring at the cell, after `change` was made to its sample.
std::vector<Mark> marksAfter(const std::function<void(Sample&)>& change, Cell cell = echoCell()) {
  Series changed = series("penstock-uring", kFour);
  change(changed.sample);
  const double rate = cell.open() ? 200000.0 : 0.0;
  return marksOf(changed, {cell, rate, {}, rate});
}

// The same, after `change` was made to each slice.
std::vector<Mark> marksAfterEach(const std::function<void(Slice&)>& change,
                                 Cell cell = echoCell()) {
  return marksAfter(
      [&change](Sample& sample) {
        for (Slice& slice : sample.load.slices) change(slice);
      },
      cell);
}

Cell openCell() {
  Cell cell = echoCell();
  cell.load = 0.9;
  return cell;
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
  libuv.sample.load.kernelBackend = "both";

  const auto marks = marksOf(libuv, {echoCell(), 0, {}});

  BOOST_TEST(!has(marks, Grade::kInvalid, "backend"));
}

BOOST_AUTO_TEST_CASE(a_fault_makes_the_series_invalid) {
  const auto marks = marksAfter([](Sample& sample) { sample.fault = "wrong bytes: 1 differ"; });

  BOOST_TEST(has(marks, Grade::kInvalid, "wrong bytes"));
}

// The server being full as well does not prove that the client was not the limit.
BOOST_AUTO_TEST_CASE(a_client_over_85_percent_is_told_and_only_throughput_with_it) {
  const auto busy = [](Slice& slice) {
    slice.server.cpuNs = 49'900'000;
    slice.clientCpuNs = 45'000'000;
    slice.server.machineBusyTicks = 9;
  };

  const auto marks = marksAfterEach(busy);

  BOOST_TEST(has(marks, Grade::kWarn, "the load generator used 90 %"));
  BOOST_TEST(!has(marks, Grade::kInvalid, ""));
}

BOOST_AUTO_TEST_CASE(a_slice_without_time_is_invalid) {
  const auto marks = marksAfterEach([](Slice& slice) { slice.server.atNs = -5; });

  BOOST_TEST(has(marks, Grade::kInvalid, "clock"));
}

BOOST_AUTO_TEST_CASE(a_busy_client_does_not_matter_in_an_open_loop) {
  const auto marks =
      marksAfterEach([](Slice& slice) { slice.clientCpuNs = 49'000'000; }, openCell());

  BOOST_TEST(!has(marks, Grade::kWarn, "load generator"));
}

BOOST_AUTO_TEST_CASE(who_does_not_keep_up_with_an_open_loop_is_told) {
  const auto slow = [](double unanswered) {
    return marksAfter(
        [unanswered](Sample& sample) {
          for (Slice& slice : sample.load.slices) {
            slice.units = 8000;
            slice.underWay = unanswered;
          }
        },
        openCell());
  };

  BOOST_TEST(has(slow(2000), Grade::kWarn, "the server kept up with 80 %"));
  BOOST_TEST(has(slow(10), Grade::kWarn, "the load generator started 80 %"));
}

// What the server needs for a unit is its own however late the unit was started.
BOOST_AUTO_TEST_CASE(latency_that_is_the_clients_own_lateness_is_no_latency_of_the_server) {
  const auto late = [](double share) {
    Series made = series("penstock-uring", kFour);
    for (double us = 100; us < 400; us += 1) {
      made.sample.load.lateness.record(static_cast<std::uint64_t>(us * 1000 * share));
    }
    return made;
  };
  const CellResult result{openCell(), 200000, {}, 200000};

  BOOST_TEST(has(marksOf(late(0.6), result), Grade::kWarn, "and it is not compared"));
  BOOST_TEST(clientIsLate(late(0.6), result));
  BOOST_TEST(has(marksOf(late(0.3), result), Grade::kWarn, "started its messages late"));
  BOOST_TEST(!clientIsLate(late(0.3), result));
  BOOST_TEST(!has(marksOf(late(0.1), result), Grade::kWarn, "late"));
}

BOOST_AUTO_TEST_CASE(less_than_the_cell_asks_for_is_told) {
  const CellResult result{openCell(), 160000, {}, 200000};

  const auto marks = marksOf(series("penstock-uring", kFour), result);

  BOOST_TEST(has(marks, Grade::kWarn, "offered 80 %"));
}

// Slices are paired, so that a neighbour meets all alike: it widens intervals, and is told.
BOOST_AUTO_TEST_CASE(a_greedy_neighbour_is_told) {
  const auto some = marksAfterEach([](Slice& s) { s.server.machineBusyTicks += 1; });
  const auto much = marksAfterEach([](Slice& s) { s.server.machineBusyTicks += 4; });

  BOOST_TEST(some.empty());
  BOOST_TEST(has(much, Grade::kWarn, "other load on the machine"));
}

BOOST_AUTO_TEST_CASE(a_server_that_waits_for_its_core_is_told) {
  const auto marks = marksAfterEach([](Slice& s) { s.server.waitNs = 10'000'000; });

  BOOST_TEST(has(marks, Grade::kWarn, "waited 20 %"));
}

BOOST_AUTO_TEST_CASE(a_hypervisor_that_takes_time_is_told) {
  const auto marks = marksAfterEach([](Slice& s) { s.server.stolenTicks = 2; });

  BOOST_TEST(has(marks, Grade::kWarn, "hypervisor"));
}

BOOST_AUTO_TEST_CASE(what_is_put_off_to_ksoftirqd_is_the_servers) {
  Slice slice = goodSlice(4);
  slice.server.softirqNs = 4'000'000;

  const Metrics metrics = metricsOf(*findWorkload("echo"), slice);

  BOOST_TEST(metrics.at("cpu_us") == 4.4, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(server_and_client_on_one_core_is_invalid) {
  const auto marks = marksAfter([](Sample& sample) { sample.load.clientCore = 0; });

  BOOST_TEST(has(marks, Grade::kInvalid, "one core"));
}

BOOST_AUTO_TEST_CASE(twenty_rounds_are_told_to_be_few) {
  const auto marks = marksOf(series("penstock-uring", about(4, 20)), {echoCell(), 0, {}});

  BOOST_TEST(has(marks, Grade::kWarn, "only 20 rounds"));
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

BOOST_AUTO_TEST_SUITE_END()
