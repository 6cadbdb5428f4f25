#include <penstock/bench/compare/proc_file.h>
#include <penstock/bench/compare/usage.h>

#include <nlohmann/json.hpp>

#include <dirent.h>
#include <time.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <utility>

namespace penstock::compare {
namespace {

std::int64_t nsOf(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

std::int64_t read(clockid_t clock) {
  timespec time{};
  if (::clock_gettime(clock, &time) != 0) throw std::runtime_error("the server is gone");
  return nsOf(time);
}

// The process's CPU clock: the sum of the schedstat of all its threads, those that ended too.
std::int64_t cpuNsOf(pid_t pid) {
  clockid_t clock{};
  if (::clock_getcpuclockid(pid, &clock) != 0) throw std::runtime_error("the server is gone");
  return read(clock);
}

std::string processPath(pid_t pid, const char* file) {
  return "/proc/" + std::to_string(pid) + '/' + file;
}

// The fields of a stat file behind the name, which is in parentheses and may hold anything.
std::vector<std::int64_t> fieldsAfterName(const std::string& stat) {
  const auto close = stat.rfind(')');
  // ") S 1234 …": the state is a letter, so the first number is the parent, field 4.
  return numbersIn(std::string_view(stat).substr(close == stat.npos ? 0 : close + 1));
}

// "4711 (name) S 1 …": whether the thread neither runs nor waits for a core.
bool sleeps(const std::string& stat) {
  const auto close = stat.rfind(')');
  return close != stat.npos && close + 2 < stat.size() && stat[close + 2] != 'R';
}

bool allSleep(pid_t pid) {
  const std::string path = processPath(pid, "task");
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) throw std::runtime_error("the server is gone");
  bool all = true;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    const std::string stat = readText(path + '/' + entry->d_name + "/stat");
    all = all && (stat.empty() || sleeps(stat));  // It may just have ended.
  }
  ::closedir(directory);
  return all;
}

bool isKernelWorker(const std::string& name) {
  return name.starts_with("iou-wrk-") || name.starts_with("iou-sqp-");
}

void addThread(const std::string& task, std::string id, Usage& usage) {
  const auto times = numbersIn(readText(task + "/schedstat"));
  const std::string status = readText(task + "/status");
  if (times.size() < 2) return;  // It has just ended.
  usage.perThread.push_back({std::move(id), isKernelWorker(readText(task + "/comm")), times[0],
                             times[1], numberAfter(status, "\nvoluntary_ctxt_switches:"),
                             numberAfter(status, "nonvoluntary_ctxt_switches:")});
}

// The sums of its threads, less what those had used before.
void addThreads(const std::vector<ThreadUsage>& before, Usage& usage) {
  usage.workerNs = usage.waitNs = usage.voluntary = usage.involuntary = 0;
  for (const ThreadUsage& now : usage.perThread) {
    const auto same = [&now](const ThreadUsage& each) { return each.id == now.id; };
    const auto found = std::find_if(before.begin(), before.end(), same);
    const ThreadUsage then = found == before.end() ? ThreadUsage{} : *found;
    if (now.kernelWorker) usage.workerNs += now.cpuNs - then.cpuNs;
    usage.waitNs += now.waitNs - then.waitNs;
    usage.voluntary += now.voluntary - then.voluntary;
    usage.involuntary += now.involuntary - then.involuntary;
  }
}

void readThreads(pid_t pid, Usage& usage) {
  const std::string path = processPath(pid, "task");
  DIR* directory = ::opendir(path.c_str());
  if (directory == nullptr) throw std::runtime_error("the server is gone");
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] != '.') addThread(path + '/' + entry->d_name, entry->d_name, usage);
  }
  ::closedir(directory);
  usage.threads = static_cast<unsigned>(usage.perThread.size());
  addThreads({}, usage);
}

// ksoftirqd/N is found once: its number does not change.
std::string softirqPath(int core) {
  const std::string wanted = "ksoftirqd/" + std::to_string(core);
  constexpr int kFirstPids = 4096;  // Kernel threads start with the machine.
  for (int pid = 2; pid < kFirstPids; ++pid) {
    if (readText(processPath(pid, "comm")) == wanted) return processPath(pid, "schedstat");
  }
  return {};
}

std::int64_t softirqNs(int core) {
  static int foundFor = -1;
  static std::string path;
  if (foundFor != core) path = softirqPath(core);
  foundFor = core;
  const auto times = path.empty() ? std::vector<std::int64_t>{} : numbersIn(readText(path));
  return times.empty() ? 0 : times.front();
}

// cpu  user nice system idle iowait irq softirq steal guest guest_nice
constexpr std::size_t kIrq = 5;
constexpr std::size_t kSoftirq = 6;
constexpr std::size_t kSteal = 7;

std::vector<std::int64_t> machineTicks() {
  const std::string stat = readText("/proc/stat");
  auto ticks = numbersIn(std::string_view(stat).substr(0, stat.find('\n')));
  ticks.resize(std::max(ticks.size(), kSteal + 1));
  return ticks;
}

// The column stays 0 where a tick is all that the kernel goes by.
bool countsApart(const std::vector<std::int64_t>& ticks) { return ticks[kIrq] > 0; }

void addMachine(Usage& usage) {
  const auto ticks = machineTicks();
  usage.machineBusyTicks = ticks[0] + ticks[1] + ticks[2];
  if (!countsApart(ticks)) usage.machineBusyTicks += ticks[kIrq] + ticks[kSoftirq];
  usage.stolenTicks = ticks[kSteal];
}

}  // namespace

std::int64_t monotonicNs() { return read(CLOCK_MONOTONIC); }
bool interruptsCountApart() { return countsApart(machineTicks()); }
std::int64_t ownCpuNs() { return read(CLOCK_PROCESS_CPUTIME_ID); }

Usage usageOf(pid_t pid, int core) {
  Usage usage;
  usage.cpuNs = cpuNsOf(pid);
  usage.atNs = monotonicNs();
  addMachine(usage);
  usage.softirqNs = softirqNs(core);
  const auto fields = fieldsAfterName(readText(processPath(pid, "stat")));
  constexpr std::size_t kFirst = 4;  // The number of the first field after the state.
  constexpr std::size_t kUser = 14 - kFirst;
  constexpr std::size_t kSystem = 15 - kFirst;
  constexpr std::size_t kProcessor = 39 - kFirst;
  if (fields.size() <= kProcessor) throw std::runtime_error("the server is gone");
  usage.userTicks = fields[kUser];
  usage.systemTicks = fields[kSystem];
  usage.core = static_cast<int>(fields[kProcessor]);
  readThreads(pid, usage);
  return usage;
}

bool awaitQuiet(pid_t pid, std::int64_t mostNs) {
  constexpr timespec kMoment{0, 100'000};
  const std::int64_t end = monotonicNs() + mostNs;
  std::int64_t used = -1;
  while (monotonicNs() < end) {
    const bool sleeps = allSleep(pid);
    const std::int64_t now = cpuNsOf(pid);
    if (sleeps && now == used) return true;
    used = sleeps ? now : -1;
    ::nanosleep(&kMoment, nullptr);
  }
  return false;
}

Usage operator-(const Usage& later, const Usage& earlier) {
  Usage between = later;
  between.atNs -= earlier.atNs;
  between.cpuNs -= earlier.cpuNs;
  between.userTicks -= earlier.userTicks;
  between.systemTicks -= earlier.systemTicks;
  between.softirqNs -= earlier.softirqNs;
  between.machineBusyTicks -= earlier.machineBusyTicks;
  between.stolenTicks -= earlier.stolenTicks;
  addThreads(earlier.perThread, between);
  return between;
}

Memory memoryOf(pid_t pid) {
  constexpr std::int64_t kKiB = 1024;
  const std::string rollup = readText(processPath(pid, "smaps_rollup"));
  const std::string status = readText(processPath(pid, "status"));
  return {numberAfter(rollup, "\nRss:", numberAfter(status, "VmRSS:")) * kKiB,
          numberAfter(status, "VmHWM:") * kKiB};
}

KernelMemory kernelMemory() {
  constexpr std::int64_t kKiB = 1024;
  constexpr std::int64_t kPage = 4096;
  const std::string sockets = readText("/proc/net/sockstat");
  const auto tcp = sockets.find("\nTCP:");
  const auto pages = tcp == sockets.npos ? 0 : numberAfter(sockets.substr(tcp), " mem");
  return {numberAfter(readText("/proc/meminfo"), "\nSlab:") * kKiB, pages * kPage};
}

std::string kernelBackendOf(pid_t pid) {
  bool ring = false;
  bool epoll = false;
  std::error_code gone;
  const std::string directory = "/proc/" + std::to_string(pid) + "/fd";
  for (const auto& entry : std::filesystem::directory_iterator(directory, gone)) {
    std::error_code closed;
    const std::string target = std::filesystem::read_symlink(entry, closed).string();
    ring |= target == "anon_inode:[io_uring]";
    epoll |= target == "anon_inode:[eventpoll]";
  }
  if (ring) return epoll ? "both" : "io_uring";
  return epoll ? "epoll" : "none";
}

nlohmann::json toJson(const Usage& usage) {
  return {{"ns", usage.atNs},
          {"cpu_ns", usage.cpuNs},
          {"worker_ns", usage.workerNs},
          {"wait_ns", usage.waitNs},
          {"user_ticks", usage.userTicks},
          {"system_ticks", usage.systemTicks},
          {"voluntary_switches", usage.voluntary},
          {"involuntary_switches", usage.involuntary},
          {"softirqd_ns", usage.softirqNs},
          {"machine_busy_ticks", usage.machineBusyTicks},
          {"stolen_ticks", usage.stolenTicks},
          {"threads", usage.threads},
          {"core", usage.core}};
}

Usage usageFromJson(const nlohmann::json& json) {
  Usage usage;
  json.at("ns").get_to(usage.atNs);
  json.at("cpu_ns").get_to(usage.cpuNs);
  json.at("worker_ns").get_to(usage.workerNs);
  json.at("wait_ns").get_to(usage.waitNs);
  json.at("user_ticks").get_to(usage.userTicks);
  json.at("system_ticks").get_to(usage.systemTicks);
  json.at("voluntary_switches").get_to(usage.voluntary);
  json.at("involuntary_switches").get_to(usage.involuntary);
  json.at("softirqd_ns").get_to(usage.softirqNs);
  json.at("machine_busy_ticks").get_to(usage.machineBusyTicks);
  json.at("stolen_ticks").get_to(usage.stolenTicks);
  json.at("threads").get_to(usage.threads);
  json.at("core").get_to(usage.core);
  return usage;
}

}  // namespace penstock::compare
