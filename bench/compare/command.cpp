#include <penstock/bench/compare/command.h>
#include <penstock/bench/compare/environment.h>
#include <penstock/bench/compare/report/difference.h>
#include <penstock/bench/compare/report/render.h>
#include <penstock/bench/compare/report/result_file.h>
#include <penstock/bench/compare/report/self_test_table.h>
#include <penstock/bench/compare/report/table.h>
#include <penstock/bench/compare/run/analysis.h>
#include <penstock/bench/compare/run/campaign.h>
#include <penstock/bench/compare/run/process.h>
#include <penstock/bench/compare/run/self_test.h>

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <filesystem>

namespace penstock::compare {
namespace {

namespace fs = std::filesystem;

void makeDirectory(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error && ::access(path.c_str(), W_OK) == 0) return;
  throw BadRequest("cannot write into --out " + path +
                   (error ? ": " + error.message() : std::string()));
}

std::string clock(double seconds) {
  const long whole = std::lround(seconds);
  char text[32];
  std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  return text;
}

// One line that is written over on a terminal; on a file or pipe, one now and then.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet) : quiet_(quiet), terminal_(::isatty(STDERR_FILENO) == 1) {}
  ~ProgressLine() {
    if (terminal_ && !quiet_) std::fprintf(stderr, "\r\x1b[K");
  }

  void tell(const Progress& progress) {
    const std::size_t step = progress.all / 20 + 1;
    if (quiet_ || (!terminal_ && progress.done % step != 0)) return;
    std::fprintf(stderr, "%s%zu/%zu, %s left: %s%s", terminal_ ? "\r\x1b[K" : "", progress.done,
                 progress.all, clock(progress.secondsLeft).c_str(), progress.now.c_str(),
                 terminal_ ? "" : "\n");
    std::fflush(stderr);
  }

 private:
  const bool quiet_;
  const bool terminal_;
};

Plan planFor(const CommandOptions& options) {
  if (options.replay.empty()) return makePlan(options.request);
  return adapted(readResult(options.replay).outcome.plan);
}

// A replay has the engines of its plan, so none of them was left out.
std::vector<std::string> notesFor(const CommandOptions& options, const Plan& plan) {
  PlanRequest request = options.request;
  if (!options.replay.empty()) request.engines = plan.engines;
  return whatIsMissing(request);
}

// Whether there is a report. If not, what was measured is kept all the same.
bool report(const Result& result, const Summary& summary, const std::string& out) {
  std::printf("%s", tableOf(summary).c_str());
  const std::string path = fs::path(out) / "result.json";
  writeFile(path, textOf(toJson(result, summary)));
  const std::string why = renderReport(path);
  std::printf("Written to %s: result.json%s%s\n", out.c_str(),
              why.empty() ? ", report.html, report.md" : "; no report: ", why.c_str());
  return why.empty();
}

int measure(const CommandOptions& options) {
  const Plan plan = planFor(options);
  makeDirectory(options.out);
  makeInterruptible();
  Result result;
  result.environment = captureEnvironment();
  auto notes = notesFor(options, plan);
  result.machineMarks = marksOfMachine(plan);
  {
    ProgressLine line(options.quiet);
    result.outcome = carryOut(plan, [&line](const Progress& progress) { line.tell(progress); });
  }
  notes.insert(notes.end(), result.outcome.notes.begin(), result.outcome.notes.end());
  result.outcome.notes = notes;
  if (clockSource() != result.environment["clock"]) {
    result.machineMarks.push_back(
        {Grade::kInvalid, "the kernel gave up its clock during the run, for " + clockSource()});
  }
  report(result, analyse(result.outcome, result.machineMarks), options.out);
  return 0;
}

int proveSight(const CommandOptions& options) {
  const Plan plan = selfTestPlan(options.request);
  makeInterruptible();
  SelfTest test;
  {
    ProgressLine line(options.quiet);
    test = testSelf(plan, [&line](const Progress& progress) { line.tell(progress); });
  }
  std::printf("%s", textOf(test).c_str());
  for (const Mark& mark : marksOfMachine(plan)) {
    std::printf("%s: %s\n", std::string(nameOf(mark.grade)).c_str(), mark.reason.c_str());
  }
  return 0;
}

int reportAgain(const CommandOptions& options) {
  const Result result = readResult(options.results.front());
  makeDirectory(options.out);
  return report(result, analyse(result.outcome, result.machineMarks), options.out) ? 0 : 1;
}

}  // namespace

Profile profileNamed(const std::string& name) {
  for (const Profile profile :
       {Profile::kQuick, Profile::kStandard, Profile::kFull, Profile::kSpeed}) {
    if (name == nameOf(profile)) return profile;
  }
  throw BadRequest("there is no profile '" + name + "'; there are quick, default, full, speed");
}

int runCommand(const CommandOptions& options) {
  if (options.selfTest) return proveSight(options);
  if (options.results.empty()) return measure(options);
  if (options.results.size() == 1) return reportAgain(options);
  if (options.results.size() > 2) {
    throw BadRequest("two results can be compared, not " + std::to_string(options.results.size()));
  }
  const Result before = readResult(options.results[0]);
  const Result after = readResult(options.results[1]);
  std::printf("%s", differenceOf(before, after).c_str());
  return 0;
}

}  // namespace penstock::compare
