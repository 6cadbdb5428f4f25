// Result files and tables. What is made of a result file: pages_test.py.
#include <penstock/bench/compare/environment.h>
#include <penstock/bench/compare/proc_file.h>
#include <penstock/bench/compare/report/difference.h>
#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/result_file.h>
#include <penstock/bench/compare/report/table.h>
#include <penstock/tests/compare/outcomes.h>

#include <boost/test/unit_test.hpp>
#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cstdio>
#include <filesystem>

using namespace outcomes;

BOOST_AUTO_TEST_SUITE(report_test)

namespace {

// A file that is gone when the test is over.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text)
      : path_((std::filesystem::temp_directory_path() /
               ("penstock-report-" + std::to_string(::getpid()) + ".json"))
                  .string()) {
    writeFile(path_, text);
  }
  ~TemporaryFile() { std::filesystem::remove(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Result resultOf(Outcome outcome) {
  Result result;
  result.outcome = std::move(outcome);
  result.environment = {{"kernel", {{"release", "6.1"}}}};
  return result;
}

std::string saved(const Result& result) {
  return toJson(result, analyse(result.outcome, result.machineMarks)).dump();
}

bool refuses(const std::string& text, const std::string& words) {
  const TemporaryFile file(text);
  try {
    readResult(file.path());
  } catch (const BadRequest& why) {
    const std::string what = why.what();
    return what.find(words) != what.npos && what.find('\n') == what.npos;
  }
  return false;
}

const std::vector<double> kThree = about(3);

}  // namespace

BOOST_AUTO_TEST_CASE(a_result_that_was_read_is_the_one_that_was_written) {
  Result result = resultOf(outcome(kThree, kFour, kFour));
  result.outcome.notes = {"something is missing"};
  result.machineMarks = {{Grade::kWarn, "a reason"}};
  const TemporaryFile file(saved(result));

  const Result read = readResult(file.path());

  BOOST_TEST(saved(read) == saved(result));
}

BOOST_AUTO_TEST_CASE(another_version_is_refused_by_its_number) {
  nlohmann::json changed = nlohmann::json::parse(saved(resultOf(outcome(kThree, kFour, kFour))));
  changed["version"] = 99;

  BOOST_TEST(refuses(changed.dump(), "version 99"));
}

BOOST_AUTO_TEST_CASE(what_is_no_result_is_refused) {
  BOOST_TEST(refuses("", "is not a result"));
  BOOST_TEST(refuses("[1, 2]", "is not a result"));
  BOOST_TEST(refuses("{\"format\": \"something else\"}", "is not a result"));
}

BOOST_AUTO_TEST_CASE(a_damaged_result_is_refused) {
  nlohmann::json changed = nlohmann::json::parse(saved(resultOf(outcome(kThree, kFour, kFour))));
  changed["cells"][0]["series"][0]["sample"].erase("load");

  BOOST_TEST(refuses(changed.dump(), "damaged"));
}

BOOST_AUTO_TEST_CASE(a_result_with_an_unknown_engine_is_refused) {
  nlohmann::json changed = nlohmann::json::parse(saved(resultOf(outcome(kThree, kFour, kFour))));
  changed["cells"][0]["series"][0]["engine"] = "tomorrow";

  BOOST_TEST(refuses(changed.dump(), "lacks"));
}

// Two cells, so that the run as a whole has not moved.
Outcome twoCells(const std::vector<double>& uring) {
  Outcome made = outcome(uring, kFour, kFour);
  made.cells.push_back(outcome(kFour, kFour, kFour).cells.front());
  made.cells.back().cell.size = 1024;
  return made;
}

BOOST_AUTO_TEST_CASE(two_results_show_what_has_changed_and_what_has_not) {
  const Result before = resultOf(twoCells(kFour));
  Result after = resultOf(twoCells(kThree));
  after.environment["kernel"]["release"] = "6.18";

  const std::string text = differenceOf(before, after);

  BOOST_TEST(text.find("penstock-uring for echo of 64 B at 50 connections: the second result has "
                       "0.75x the CPU of the first.") != std::string::npos);
  BOOST_TEST(text.find("Not told apart: 7 of 8.") != std::string::npos);
  BOOST_TEST(text.find("\"6.1\" and then \"6.18\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_machine_that_got_slower_as_a_whole_has_changed_nothing) {
  const std::vector<double> slow = about(6);
  const Result before = resultOf(outcome(kFour, kFour, kFour));
  const Result after = resultOf(outcome(slow, slow, slow));

  const std::string text = differenceOf(before, after);

  BOOST_TEST(text.find("Not told apart: 4 of 4.") != std::string::npos);
  BOOST_TEST(text.find("CPU 1.50x") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_invalid_build_makes_no_difference_between_results) {
  const Result before = resultOf(twoCells(kFour));
  Result after = resultOf(twoCells(kThree));
  after.machineMarks = {{Grade::kInvalid, "built without optimisation"}};

  const std::string text = differenceOf(before, after);

  BOOST_TEST(text.find("Not told apart: 8 of 8.") != std::string::npos);
  BOOST_TEST(text.find("INVALID") != std::string::npos);
}

// What a server writes as it dies need not be text.
BOOST_AUTO_TEST_CASE(a_reason_that_is_no_utf8_does_not_cost_the_result) {
  Result result = resultOf(outcome(kThree, kFour, kFour));
  result.outcome.cells[0].series[0].sample.fault = "broken \xc3";

  const std::string text = textOf(toJson(result, analyse(result.outcome, {})));

  BOOST_TEST(nlohmann::json::accept(text));
}

BOOST_AUTO_TEST_CASE(results_without_a_common_cell_are_bad_input) {
  Outcome other = outcome(kFour, kFour, kFour);
  other.cells[0].cell.size = 1024;

  BOOST_CHECK_THROW(differenceOf(resultOf(outcome(kFour, kFour, kFour)), resultOf(other)),
                    BadRequest);
}

BOOST_AUTO_TEST_CASE(the_table_has_the_sentences_and_the_figures) {
  const std::string table = tableOf(analyse(outcome(kThree, kFour, kFour), {}));

  BOOST_TEST(table.find("io_uring needs less CPU in 1 of 1 cells") != std::string::npos);
  BOOST_TEST(table.find("0.750 [") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(marks_stand_in_the_table) {
  Outcome made = outcome(kThree, kFour, kFour);
  made.cells[0].series[0].sample.fault = "wrong bytes: 3 differ";

  const std::string table = tableOf(analyse(made, {{Grade::kWarn, "the machine is odd"}}));

  for (const char* words : {"wrong bytes: 3 differ", "the machine is odd", "INVALID"}) {
    BOOST_TEST(table.find(words) != std::string::npos, words);
  }
}

// Whoever reads the file need work nothing out, nor know what anything is called.
BOOST_AUTO_TEST_CASE(a_result_says_all_that_a_report_shows) {
  const Result result = resultOf(outcome(kThree, kFour, kFour));

  const nlohmann::json summary = nlohmann::json::parse(saved(result))["summary"];

  const nlohmann::json& cell = summary["cells"][0];
  BOOST_TEST(cell["title"] == "echo, 64 B at 50 connections");
  BOOST_TEST(cell["metric"] == "cpu_us");
  BOOST_TEST(cell["main"]["verdict"] == "less");
  BOOST_TEST(cell["main"]["ratio"]["low"] < cell["main"]["ratio"]["high"]);
  BOOST_TEST(cell["series"][2]["label"] == "penstock-epoll (again)");
  BOOST_TEST(cell["series"][2]["status"] == "");
  BOOST_TEST(summary["metrics"][0]["title"] == "CPU");
  BOOST_TEST(summary["metrics"][0]["unit"] == "us/{}");
  BOOST_TEST(summary["workloads"][0]["unit"] == "message");
  BOOST_TEST(summary["sentences"][0] != "");
}

BOOST_AUTO_TEST_CASE(metrics_of_a_result_are_those_that_have_a_figure) {
  const Result result = resultOf(outcome(kThree, kFour, kFour));

  const nlohmann::json summary = nlohmann::json::parse(saved(result))["summary"];

  for (const auto& metric : summary["metrics"]) {
    const auto& found = summary["cells"][0]["series"][0]["metrics"];
    BOOST_TEST(found.contains(metric["name"].get<std::string>()));
  }
}

// A table of one line a cell, a summary of eight at most, five of warnings at most, and no line is
// longer than a terminal is wide.
BOOST_AUTO_TEST_CASE(the_terminal_shows_the_table_then_the_summary_then_five_warnings) {
  Outcome made = outcome(kThree, kFour, kFour);
  for (std::size_t size = 128; size < 4096; size *= 2) {
    made.cells.push_back(made.cells.front());
    made.cells.back().cell.size = size;
  }
  made.notes.assign(
      9, "a note about something that is not there, and how to get it " + std::string(100, 'x'));

  const std::vector<std::string> lines = linesOf(tableOf(analyse(made, {})));

  const auto blank = std::find(lines.begin(), lines.end(), "");
  const auto second = std::find(blank + 1, lines.end(), "");
  const auto warnings = lines.end() - second;
  const auto table = blank - lines.begin();
  BOOST_TEST(table == std::ptrdiff_t(made.cells.size()) + 1);
  const auto summary = second - blank;
  BOOST_TEST(summary - 1 <= 8);
  BOOST_TEST(warnings - 1 <= 5);
  for (const std::string& line : lines) BOOST_TEST(width(line) <= 120U, line);
}

BOOST_AUTO_TEST_CASE(figures_have_three_digits) {
  BOOST_TEST(figure(3.14159) == "3.14");
  BOOST_TEST(figure(31.4159) == "31.4");
  BOOST_TEST(figure(314.159) == "314");
  BOOST_TEST(figure(245678) == "246 k");
  BOOST_TEST(figure(1975000) == "1.98 M");
  BOOST_TEST(figure(0.4567) == "0.457");
  BOOST_TEST(figure(0.01834) == "0.0183");
  BOOST_TEST(figure(0.0042) == "0.0042");
}

BOOST_AUTO_TEST_CASE(the_environment_names_neither_host_nor_user_nor_directory) {
  const std::string text = captureEnvironment().dump();
  char host[256] = {};
  ::gethostname(host, sizeof host - 1);

  BOOST_TEST(text.find(std::filesystem::current_path().string()) == std::string::npos);
  if (std::string(host).size() > 3 && std::string(host) != "localhost") {
    BOOST_TEST(text.find(host) == std::string::npos);
  }
  const char* home = std::getenv("HOME");
  if (home != nullptr && std::string(home).size() > 1) {
    BOOST_TEST(text.find(home) == std::string::npos);
  }
}

BOOST_AUTO_TEST_SUITE_END()
