// What a server does wrong is found, and costs a sample, not the run.
#include <penstock/bench/compare/load/sockets.h>
#include <penstock/bench/compare/run/gates.h>
#include <penstock/bench/compare/run/sample.h>
#include <penstock/bench/compare/run/system_calls.h>

#include <boost/test/unit_test.hpp>

#include <sched.h>

#include <algorithm>
#include <cmath>

using namespace penstock::compare;

BOOST_AUTO_TEST_SUITE(broken_server_test)

namespace {

// Python's own server with a fault; PYTHON and BROKEN_SERVER are absolute paths.
Engine broken(const std::string& fault) {
  return {"penstock-epoll", PYTHON, {BROKEN_SERVER, fault}, "epoll", ""};
}

// Both on the same core if there is one only; that is another gate's affair.
Cores cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof set, &set);
  Cores found{-1, -1};
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (!CPU_ISSET(core, &set)) continue;
    if (found.server < 0) found.server = core;
    found.client = core;
  }
  return found;
}

// Both ways of the load generator, where both work.
std::vector<std::string> clients() {
  std::vector<std::string> all{std::string(kEpollClient)};
  if (clientWorks(kUringClient)) all.emplace_back(kUringClient);
  return all;
}

SampleRequest requestOf(const Engine& engine) {
  SampleRequest request;
  request.cell.workload = "echo";
  request.engines = {&engine};
  request.rounds = 4;
  request.cores = cores();
  return request;
}

Sample sampleOf(const Engine& engine, unsigned connections = 1,
                const std::string& client = std::string(kEpollClient)) {
  SampleRequest request = requestOf(engine);
  request.cell.client = client;
  request.cell.connections = connections;
  return takeSamples(request).front();
}

bool faultSays(const std::string& fault, const std::string& words) {
  for (const std::string& client : clients()) {
    const Sample sample = sampleOf(broken(fault), 1, client);
    BOOST_TEST_MESSAGE(client << ", " << fault << ": " << sample.fault);
    if (sample.fault.find(words) == sample.fault.npos) return false;
  }
  return true;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_server_that_does_nothing_wrong_has_no_fault) {
  for (const std::string& client : clients()) {
    const Sample sample = sampleOf(broken("none"), 4, client);

    BOOST_TEST_CONTEXT("load generator on " << client) {
      BOOST_TEST(sample.fault == "");
      BOOST_TEST(sample.load.slices.size() == 4U);
      for (const Slice& slice : sample.load.slices) {
        BOOST_TEST(slice.units > 0);
        BOOST_TEST(slice.server.cpuNs > 0);
        BOOST_TEST(slice.p50Ns > 0U);
      }
      const auto units = static_cast<std::uint64_t>(sample.load.totalUnits);
      BOOST_TEST(sample.load.checkedBytes == units * 64);
      BOOST_TEST(sample.load.kernelBackend == "epoll");
      BOOST_TEST(sample.load.latency.count() == static_cast<std::uint64_t>(sample.load.units()));
    }
  }
}

BOOST_AUTO_TEST_CASE(messages_that_no_socket_takes_whole_come_back_whole) {
  for (const std::string& client : clients()) {
    const Engine engine = broken("none");
    SampleRequest request = requestOf(engine);
    request.cell.client = client;
    request.cell.connections = 3;
    request.cell.size = 3'000'001;
    request.cell.depth = 2;

    const Sample sample = takeSamples(request).front();

    BOOST_TEST(sample.fault == "", client << ": " << sample.fault);
    BOOST_TEST(sample.load.units() > 0);
  }
}

BOOST_AUTO_TEST_CASE(a_client_that_this_machine_does_not_have_is_a_fault_and_not_another_client) {
  BOOST_TEST(sampleOf(broken("none"), 1, "nonesuch").fault.find("nonesuch") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(one_flipped_bit_is_found) {
  for (const std::string& client : clients()) {
    const Sample sample = sampleOf(broken("flip"), 1, client);

    BOOST_TEST(sample.fault.find("wrong bytes: 1 differ") != std::string::npos, sample.fault);
    BOOST_TEST(sample.load.wrongBytes == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_lost_byte_is_found) { BOOST_TEST(faultSays("lose", "wrong bytes")); }

BOOST_AUTO_TEST_CASE(a_byte_too_many_is_found) { BOOST_TEST(faultSays("extra", "more bytes")); }

BOOST_AUTO_TEST_CASE(a_server_that_dies_is_told_with_its_signal) {
  BOOST_TEST(faultSays("die", "signal 11"));
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_closed_is_told) {
  BOOST_TEST(faultSays("close", "closed a connection"));
}

BOOST_AUTO_TEST_CASE(a_server_that_stalls_is_told) {
  BOOST_TEST(faultSays("stall", "nothing came back"));
}

BOOST_AUTO_TEST_CASE(one_answer_that_never_comes_is_found_among_many_that_do) {
  for (const std::string& client : clients()) {
    const Sample sample = sampleOf(broken("forget"), 4, client);

    BOOST_TEST(sample.load.totalUnits > 100);
    BOOST_TEST(sample.fault == "an answer did not come");
  }
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_start_is_told_in_its_own_words) {
  BOOST_TEST(faultSays("refuse", "the cellar is flooded"));
}

BOOST_AUTO_TEST_CASE(a_server_that_never_is_ready_is_told) {
  BOOST_TEST(faultSays("silent", "did not start"));
}

BOOST_AUTO_TEST_CASE(a_server_that_does_not_end_is_killed_and_told) {
  BOOST_TEST(faultSays("stubborn", "killed"));
}

BOOST_AUTO_TEST_CASE(an_engine_without_the_workload_is_told_apart_from_one_that_fails) {
  BOOST_TEST(sampleOf(broken("unserved")).notServed);
  BOOST_TEST(!sampleOf(broken("refuse")).notServed);
}

// Servers that take turns do not pay for one another.
BOOST_AUTO_TEST_CASE(a_server_that_fails_leaves_the_others_their_turns) {
  const Engine good = broken("none");
  const Engine bad = broken("flip");
  const Engine refusing = broken("refuse");
  SampleRequest request = requestOf(good);
  request.engines = {&good, &bad, &refusing, &good};

  const auto samples = takeSamples(request);

  BOOST_REQUIRE(samples.size() == 4U);
  for (const std::size_t at : {0U, 3U}) {
    BOOST_TEST(samples[at].fault == "");
    BOOST_TEST(samples[at].load.slices.size() == 4U);
  }
  BOOST_TEST(samples[1].fault.find("wrong bytes") != std::string::npos);
  BOOST_TEST(samples[2].fault.find("did not start") != std::string::npos);
}

// Drained means that nothing of one slice is left for the next: what is counted is what was sent.
BOOST_AUTO_TEST_CASE(the_units_of_all_slices_are_answered_within_them) {
  const Engine engine = broken("none");
  SampleRequest request = requestOf(engine);
  request.cell.connections = 8;
  request.cell.depth = 4;

  const Sample sample = takeSamples(request).front();

  BOOST_REQUIRE_EQUAL(sample.fault, "");
  for (const Slice& slice : sample.load.slices) {
    BOOST_TEST(slice.units == std::floor(slice.units));
    BOOST_TEST(slice.seconds >= request.seconds);
  }
}

BOOST_AUTO_TEST_CASE(calls_of_a_server_that_failed_are_not_counted) {
  const Engine engine = broken("refuse");

  const SystemCalls calls = countSystemCalls(requestOf(engine));

  BOOST_TEST(calls.whyNot != "");
  BOOST_TEST(calls.perUnit.empty());
  BOOST_TEST(calls.units == 0);
}

// It waits, receives and sends for each message; taking 200 connections up and down is no part.
BOOST_AUTO_TEST_CASE(calls_of_connecting_and_clearing_up_are_not_counted) {
  if (locateStrace().empty()) {
    BOOST_TEST_MESSAGE("no strace here");
    return;
  }
  const Engine engine = {"raw-epoll", PYTHON, {BROKEN_SERVER, "none"}, "epoll", ""};
  SampleRequest request = requestOf(engine);
  request.cell.connections = 200;

  const SystemCalls calls = countSystemCalls(request);

  BOOST_REQUIRE_EQUAL(calls.whyNot, "");
  BOOST_TEST(calls.total() > 1.8);  // Messages that are under way at its ends are half in it.
  BOOST_TEST(calls.total() < 3.1);
  BOOST_TEST(!calls.perUnit.contains("accept4"));
}

BOOST_AUTO_TEST_CASE(in_an_open_loop_no_calls_of_others_are_counted) {
  const Engine engine = {"raw-epoll", PYTHON, {BROKEN_SERVER, "none"}, "epoll", ""};
  SampleRequest request = requestOf(engine);
  request.cell.load = 0.5;

  BOOST_TEST(countSystemCalls(request).whyNot == kNotInOpenLoop);
}

BOOST_AUTO_TEST_CASE(a_backend_that_is_not_the_one_claimed_is_invalid) {
  const Series series{"penstock-uring", false, sampleOf(broken("lie"))};

  CellResult result;
  result.cell.workload = "echo";
  const auto marks = marksOf(series, result);

  BOOST_REQUIRE(series.sample.fault == "");
  BOOST_TEST(std::any_of(marks.begin(), marks.end(), [](const Mark& mark) {
    return mark.grade == Grade::kInvalid && mark.reason.find("epoll") != mark.reason.npos;
  }));
}

BOOST_AUTO_TEST_SUITE_END()
