#include <penstock/bench/compare/proc_file.h>
#include <penstock/bench/compare/run/system_calls.h>

#include <nlohmann/json.hpp>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

namespace penstock::compare {
namespace {

constexpr std::string_view kCountedLine = "counted ";
constexpr double kWarmUpSeconds = 0.05;
constexpr double kSeconds = 0.3;

// What moves bytes, waits for them, keeps time or ends a connection. The rest is of starting up.
const std::set<std::string, std::less<>> kCounted{
    "accept",    "accept4",      "bpf",          "close",      "connect",         "dup",
    "epoll_ctl", "epoll_pwait",  "epoll_pwait2", "epoll_wait", "eventfd2",        "fcntl",
    "futex",     "getsockname",  "getpeername",  "getsockopt", "gettimeofday",    "io_uring_enter",
    "ioctl",     "pipe2",        "poll",         "ppoll",      "pread64",         "pselect6",
    "pwrite64",  "read",         "readv",        "recvfrom",   "recvmmsg",        "recvmsg",
    "select",    "sendfile",     "sendmmsg",     "sendmsg",    "sendto",          "setsockopt",
    "shutdown",  "socket",       "splice",       "tee",        "timerfd_settime", "write",
    "writev",    "clock_gettime"};

constexpr std::array kWaits{"epoll_wait", "epoll_pwait", "epoll_pwait2", "io_uring_enter",
                            "poll",       "ppoll",       "select",       "pselect6"};

// A file that is gone with this object; strace writes into it by name.
class SummaryFile {
 public:
  SummaryFile() {
    std::string name = (std::filesystem::temp_directory_path() / "penstock-XXXXXX").string();
    const int fd = ::mkstemp(name.data());
    if (fd < 0) return;
    ::close(fd);
    path_ = name;
  }
  ~SummaryFile() { ::unlink(path_.c_str()); }
  SummaryFile(const SummaryFile&) = delete;
  SummaryFile& operator=(const SummaryFile&) = delete;

  const std::string& path() const { return path_; }

  // Strace is no child of ours and ends a little after the server.
  std::string text() const {
    constexpr int kTries = 200;
    for (int i = 0; i < kTries; ++i) {
      const std::string text = readText(path_);
      if (text.find("total") != text.npos) return text;
      ::poll(nullptr, 0, 10);
    }
    return {};
  }

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

// % time     seconds  usecs/call     calls    errors syscall
// ------ ----------- ----------- --------- --------- ----------------
//  52.31    0.001234           1      1000         2 recvfrom
std::map<std::string, double> parseStraceSummary(std::string_view text) {
  std::map<std::string, double> calls;
  for (const std::string& line : linesOf(text)) {
    std::istringstream fields(line);
    double percent = 0, seconds = 0, each = 0, count = 0;
    std::string last, word;
    if (!(fields >> percent >> seconds >> each >> count)) continue;
    while (fields >> word) last = word;
    if (kCounted.contains(last)) calls[last] += count;
  }
  return calls;
}

SystemCalls countSystemCalls(SampleRequest request) {
  SystemCalls result;
  const std::string strace = locateStrace();
  if (strace.empty()) {
    result.whyNot = "strace is not installed";
    return result;
  }
  const SummaryFile file;
  // -D: strace is the grandchild, and the server our own child as ever.
  request.prefix = {strace, "-D", "-f", "-qq", "-c", "-o", file.path()};
  request.suffix = {"--count"};
  request.warmUpSeconds = kWarmUpSeconds;
  request.seconds = kSeconds;
  const Sample sample = takeSample(request);
  const auto calls = parseStraceSummary(file.text());
  result.whyNot = sample.fault;
  if (result.whyNot.empty() && calls.empty()) result.whyNot = "strace could not trace the server";
  if (!result.whyNot.empty() || sample.load.totalUnits <= 0) return result;
  for (const auto& [name, count] : calls) result.perUnit[name] = count / sample.load.totalUnits;
  result.counts = countsIn(sample.lastLine);
  result.units = sample.load.totalUnits;
  return result;
}

nlohmann::json toJson(const SystemCalls& calls) {
  return {{"why_not", calls.whyNot},
          {"per_unit", calls.perUnit},
          {"units", calls.units},
          {"counts", calls.counts ? toJson(*calls.counts) : nlohmann::json(nullptr)}};
}

SystemCalls systemCallsFromJson(const nlohmann::json& json) {
  SystemCalls calls;
  json.at("why_not").get_to(calls.whyNot);
  json.at("per_unit").get_to(calls.perUnit);
  json.at("units").get_to(calls.units);
  if (!json.at("counts").is_null()) calls.counts = callCountsFromJson(json.at("counts"));
  return calls;
}

}  // namespace penstock::compare
