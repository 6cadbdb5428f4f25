#include <penstock/bench/compare/report/render.h>
#include <penstock/bench/compare/run/engines.h>
#include <penstock/bench/compare/run/process.h>

#include <chrono>
#include <system_error>

namespace penstock::compare {
namespace {

constexpr std::chrono::minutes kLimit{3};  // The first time, matplotlib reads every font there is.

std::string whyNot(const std::string& script, const std::string& result) {
  Process process({script, "--", result}, {});
  const std::string ending = process.wait(kLimit);
  if (ending.empty()) return {};
  const std::string told = process.errorLine();
  return told.empty() ? "report.py ended with " + ending : told;
}

}  // namespace

std::string renderReport(const std::string& result) {
  const std::string script = locateProgram("report.py");
  if (script.empty()) return "report.py is not where this program was built or installed";
  try {
    return whyNot(script, result);
  } catch (const std::system_error&) {  // Its interpreter, most likely.
    return "it takes python3, python3-jinja2 and python3-matplotlib (Debian's names)";
  }
}

}  // namespace penstock::compare
