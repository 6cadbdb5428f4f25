#include <penstock/bench/compare/command.h>
#include <penstock/bench/compare/environment.h>
#include <penstock/bench/compare/report/result_file.h>
#include <penstock/bench/compare/report/table.h>
#include <penstock/bench/compare/run/analysis.h>
#include <penstock/bench/compare/run/campaign.h>

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
  const Plan plan = readResult(options.replay).outcome.plan;
  checkPlan(plan);
  return plan;
}

void report(const Result& result, const Summary& summary, const std::string& out) {
  const fs::path directory = out;
  writeFile(directory / "result.json", toJson(result, summary).dump() + '\n');
  std::printf("%s", tableOf(summary).c_str());
  std::printf("Written: %s\n", (directory / "result.json").c_str());
}

int measure(const CommandOptions& options) {
  const Plan plan = planFor(options);
  makeDirectory(options.out);
  makeInterruptible();
  Result result{{}, captureEnvironment()};
  const std::vector<Mark> marks = marksOfMachine(plan);
  {
    ProgressLine line(options.quiet);
    result.outcome = carryOut(plan, [&line](const Progress& progress) { line.tell(progress); });
  }
  report(result, analyse(result.outcome, marks), options.out);
  return 0;
}

}  // namespace

Profile profileNamed(const std::string& name) {
  for (const Profile profile :
       {Profile::kQuick, Profile::kStandard, Profile::kFull, Profile::kSpeed}) {
    if (name == nameOf(profile)) return profile;
  }
  throw BadRequest("there is no profile '" + name + "'; there are quick, default, full, speed");
}

int runCommand(const CommandOptions& options) { return measure(options); }

}  // namespace penstock::compare
