#include <penstock/bench/compare/proc_file.h>
#include <penstock/bench/compare/run/system_calls.h>

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <array>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <sstream>

namespace penstock::compare {
namespace {

constexpr std::string_view kCountedLine = "counted ";
constexpr double kWarmUpSeconds = 0.05;
constexpr double kSeconds = 0.2;

constexpr std::array kWaits{"epoll_wait", "epoll_pwait", "epoll_pwait2", "io_uring_enter",
                            "poll",       "ppoll",       "select",       "pselect6"};

// A file that is gone with this object; strace writes into it by name.
class TraceFile {
 public:
  TraceFile() {
    std::string name = (std::filesystem::temp_directory_path() / "penstock-XXXXXX").string();
    const int fd = ::mkstemp(name.data());
    if (fd < 0) return;
    ::close(fd);
    path_ = name;
  }
  ~TraceFile() { ::unlink(path_.c_str()); }
  TraceFile(const TraceFile&) = delete;
  TraceFile& operator=(const TraceFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::optional<CallCounts> countsIn(const std::string& line) {
  if (!line.starts_with(kCountedLine)) return std::nullopt;
  return callCountsFromJson(nlohmann::json::parse(line.substr(kCountedLine.size())));
}

}  // namespace

double SystemCalls::total() const {
  double sum = 0;
  for (const auto& [name, count] : perUnit) sum += count;
  return sum;
}

double SystemCalls::unitsPerWait() const {
  double waits = 0;
  for (const char* name : kWaits) {
    if (perUnit.contains(name)) waits += perUnit.at(name);
  }
  return waits > 0 ? 1 / waits : 0;
}

std::string locateStrace() {
  for (const char* path : {"/usr/bin/strace", "/bin/strace", "/usr/local/bin/strace"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  return {};
}

// 4711 1700000000.123456 recvfrom(0x5, 0x7f, 0x10000, 0, 0, 0) = 0x40
// A call of which the end has a line of its own ("<... recvfrom resumed>") counts where it began.
std::map<std::string, double> callsInTrace(std::string_view text, double from, double to) {
  std::map<std::string, double> calls;
  for (const std::string& line : linesOf(text)) {
    std::istringstream fields(line);
    long thread = 0;
    double at = 0;
    std::string call;
    if (!(fields >> thread >> at >> call) || at < from || at >= to) continue;
    const auto name = call.substr(0, call.find('('));
    if (!name.empty() && std::isalpha(static_cast<unsigned char>(name[0]))) ++calls[name];
  }
  return calls;
}

namespace {

void addTrace(const std::string& text, const LoadResult& load, SystemCalls& result) {
  const double from = static_cast<double>(load.openedAtNs) / 1e9;
  const Slice& slice = load.slices.front();
  const auto calls = callsInTrace(text, from, from + slice.seconds);
  if (calls.empty()) result.whyNot = "strace could not trace the server";
  for (const auto& [name, count] : calls) result.perUnit[name] = count / slice.units;
}

}  // namespace

SystemCalls countSystemCalls(SampleRequest request) {
  SystemCalls result;
  const std::string strace = locateStrace();
  result.whyNot = request.cell.open() ? kNotInOpenLoop : strace.empty() ? kNoStrace : "";
  const bool traced = result.whyNot.empty();
  if (!traced && !request.engines.front()->isPenstock()) return result;
  const TraceFile file;
  // -D: strace is the grandchild, and the server our own child as ever.
  if (traced) {
    request.prefix = {strace,    "-D", "-f",          "-qq", "-ttt",     "-e",
                      "raw=all", "-e", "signal=none", "-o",  file.path()};
  }
  request.counts = true;
  request.warmUpSeconds = kWarmUpSeconds;
  request.seconds = kSeconds;
  request.rounds = 1;
  const Sample sample = takeSamples(request).front();
  if (!sample.fault.empty()) {
    result.whyNot = sample.fault;
    return result;
  }
  if (sample.load.slices.empty()) return result;  // Interrupted.
  if (traced) addTrace(readText(file.path()), sample.load, result);
  result.counts = countsIn(sample.lastLine);
  result.units = sample.load.units();
  result.socketBytes = static_cast<double>(sample.load.socketBytes);
  return result;
}

nlohmann::json toJson(const SystemCalls& calls) {
  return {{"why_not", calls.whyNot},
          {"per_unit", calls.perUnit},
          {"units", calls.units},
          {"socket_bytes", calls.socketBytes},
          {"counts", calls.counts ? toJson(*calls.counts) : nlohmann::json(nullptr)}};
}

SystemCalls systemCallsFromJson(const nlohmann::json& json) {
  SystemCalls calls;
  json.at("why_not").get_to(calls.whyNot);
  json.at("per_unit").get_to(calls.perUnit);
  json.at("units").get_to(calls.units);
  json.at("socket_bytes").get_to(calls.socketBytes);
  if (!json.at("counts").is_null()) calls.counts = callCountsFromJson(json.at("counts"));
  return calls;
}

}  // namespace penstock::compare
