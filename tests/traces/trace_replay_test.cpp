// The recorded traces hold, and the replay would say so if they did not.
#include <penstock/tests/traces/replay.h>
#include <penstock/tests/traces/report.h>
#include <penstock/tests/traces/trace_file.h>

#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

namespace penstock::traces {
namespace {

BOOST_AUTO_TEST_SUITE(trace_replay_test)

const std::string kScenarios = TRACE_DATA "/traces-scenarios.jsonl";
const std::string kRandom = TRACE_DATA "/traces-public.jsonl.gz";

void checkFile(const std::string& path, double leastOfFd, double leastOfFhx) {
  Report report;

  report.replayFile(path);

  std::ostringstream text;
  report.print(text);
  BOOST_TEST_INFO(text.str());
  BOOST_TEST(report.divergences() == 0U);
  BOOST_TEST(report.family("fd").shareCompared() >= leastOfFd);
  BOOST_TEST(report.family("fhx").shareCompared() >= leastOfFhx);
}

BOOST_AUTO_TEST_CASE(the_named_scenarios_go_as_in_twisted) { checkFile(kScenarios, 0.9, 0.85); }

BOOST_AUTO_TEST_CASE(random_histories_go_as_in_twisted) { checkFile(kRandom, 0.87, 0.68); }

// The scenario of this id, to be falsified.
Trace scenario(const std::string& id) {
  TraceFile file(kScenarios);
  for (std::string line; file.next(line);) {
    Trace trace = parseTrace(line);
    if (trace.id == id) return trace;
  }
  throw BadInput("there is no scenario called " + id);
}

// Whether the replay of a scenario passes as recorded, and diverges when `falsify` was done to it.
template <class Falsify>
void checkNotices(const std::string& name, Falsify falsify) {
  for (const std::string family : {"fd", "fhx"}) {
    Trace trace = scenario(name + "/" + family);
    BOOST_TEST(!replay(trace).divergence.has_value());

    falsify(trace);

    BOOST_TEST_INFO(family);
    BOOST_TEST(replay(trace).divergence.has_value());
  }
}

// The first effect of that name.
Effect& effectOf(Trace& trace, const std::string& name) {
  for (Step& step : trace.steps) {
    for (Effect& effect : step.effects) {
      if (effect[0] == name) return effect;
    }
  }
  throw BadInput("there is no such effect: " + name);
}

BOOST_AUTO_TEST_CASE(a_pause_that_was_not_recorded_is_noticed) {
  checkNotices("push-pause-over-64k",
               [](Trace& trace) { effectOf(trace, "pauseProducing")[0] = "someDetail"; });
}

BOOST_AUTO_TEST_CASE(a_missing_call_is_noticed) {
  checkNotices("push-pause-over-64k", [](Trace& trace) {
    trace.steps.back().effects.push_back({"resumeProducing", 1});
  });
}

BOOST_AUTO_TEST_CASE(another_reason_is_noticed) {
  checkNotices("close-when-idle",
               [](Trace& trace) { effectOf(trace, "connectionLost")[1] = "ConnectionLost"; });
}

BOOST_AUTO_TEST_CASE(another_state_is_noticed) {
  for (const StatePlace place : {kConnected, kDisconnecting, kWriteDisconnecting,
                                 kWriteDisconnected, kProducer, kBuffered}) {
    checkNotices("push-pause-over-64k", [place](Trace& trace) { ++trace.steps[2].state[place]; });
  }
}

BOOST_AUTO_TEST_CASE(another_number_of_bytes_is_noticed) {
  checkNotices("push-pause-over-64k", [](Trace& trace) { ++trace.written; });
}

BOOST_AUTO_TEST_CASE(a_trace_ends_where_penstock_departs) {
  const Trace trace = scenario("close-with-running-push-producer/fd");

  const Outcome outcome = replay(trace);

  BOOST_TEST(outcome.departure == "closed-under-producer (C2)");
  BOOST_TEST(outcome.compared < outcome.steps);
  BOOST_TEST(!outcome.divergence.has_value());
}

// A file of the test, gone with it.
class Scratch {
 public:
  explicit Scratch(const std::string& text) { std::ofstream(path()) << text; }
  ~Scratch() { std::filesystem::remove(path()); }
  static std::string path() {
    return std::filesystem::temp_directory_path() /
           ("trace_replay_test." + std::to_string(getpid()));
  }
};

BOOST_AUTO_TEST_CASE(files_that_hold_no_traces_are_refused) {
  for (const char* text :
       {"", "\n", "{", "[]", "{\"v\":2}", "not JSON at all", "\x1f\x8b\x08 no"}) {
    const Scratch scratch(text);
    Report report;

    BOOST_TEST_INFO(text);
    BOOST_CHECK_THROW(report.replayFile(scratch.path()), BadInput);
  }
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_read_is_refused_by_name) {
  Report report;

  try {
    report.replayFile("/nonexistent/traces.jsonl");
    BOOST_FAIL("it was read");
  } catch (const BadInput& error) {
    BOOST_TEST(error.what() == std::string("/nonexistent/traces.jsonl: No such file or directory"));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace penstock::traces
