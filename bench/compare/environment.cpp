#include "compare_commit.h"  // Made by the build.

#include <penstock/bench/compare/call_counts.h>
#include <penstock/bench/compare/environment.h>
#include <penstock/bench/compare/proc_file.h>
#include <penstock/runtime/backends.h>

#include <nlohmann/json.hpp>

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>

namespace penstock::compare {
namespace {

using nlohmann::json;

std::string valueOf(const std::string& text, const std::string& label) {
  for (const std::string& line : linesOf(text)) {
    if (!line.starts_with(label)) continue;
    const auto colon = line.find(':');
    if (colon != line.npos) return trimmed(std::string_view(line).substr(colon + 1));
  }
  return {};
}

// What cannot be known is null, and not an empty answer.
json orNull(const std::string& text) { return text.empty() ? json(nullptr) : json(text); }

// Of the kernel's configuration, where the distribution has left it.
json kernelOption(const std::string& label) {
  utsname name{};
  ::uname(&name);
  for (const std::string& line : linesOf(readText(std::string("/boot/config-") + name.release))) {
    if (line.starts_with(label)) return line.substr(label.size());
  }
  return nullptr;
}

std::string commandLine(const std::string& host) {
  std::string line = withoutPaths(readText("/proc/cmdline"));
  for (auto at = line.find(host); !host.empty() && at != line.npos; at = line.find(host)) {
    line.replace(at, host.size(), "…");
  }
  return line;
}

json kernel() {
  utsname name{};
  ::uname(&name);
  // The version has the kind of preemption; the command line may name disks and users.
  return {{"release", name.release},
          {"version", name.version},
          {"machine", name.machine},
          {"ticks_per_second", kernelOption("CONFIG_HZ=")},
          {"command_line", commandLine(name.nodename)}};
}

json mitigations() {
  json found = json::object();
  std::error_code missing;
  const std::filesystem::path directory = "/sys/devices/system/cpu/vulnerabilities";
  for (const auto& entry : std::filesystem::directory_iterator(directory, missing)) {
    found[entry.path().filename().string()] = readText(entry.path().string());
  }
  return found;
}

json cpu() {
  const std::string info = readText("/proc/cpuinfo");
  const std::string base = "/sys/devices/system/cpu/";
  return {{"model", valueOf(info, "model name")},
          {"cores_online", ::sysconf(_SC_NPROCESSORS_ONLN)},
          {"core_siblings_of_0", readText(base + "cpu0/topology/thread_siblings_list")},
          {"governor", orNull(readText(base + "cpu0/cpufreq/scaling_governor"))},
          {"microcode", orNull(valueOf(info, "microcode"))},
          {"level2_cache", readText(base + "cpu0/cache/index2/size")},
          {"level3_cache", readText(base + "cpu0/cache/index3/size")},
          {"memory_kib", numberAfter(readText("/proc/meminfo"), "MemTotal:")}};
}

json virtualisation() {
  const bool hypervisor = readText("/proc/cpuinfo").find(" hypervisor") != std::string::npos;
  return {{"hypervisor", hypervisor},
          {"vendor", readText("/sys/class/dmi/id/sys_vendor")},
          {"product", readText("/sys/class/dmi/id/product_name")}};
}

bool exists(const char* path) { return ::access(path, F_OK) == 0; }

json container() {
  const std::string status = readText("/proc/self/status");
  return {{"docker", exists("/.dockerenv")},
          {"podman", exists("/run/.containerenv")},
          {"systemd_says", readText("/run/systemd/container")},
          {"seccomp_mode", numberAfter(status, "Seccomp:")},
          {"seccomp_filters", numberAfter(status, "Seccomp_filters:")},
          {"no_new_privileges", numberAfter(status, "NoNewPrivs:")}};
}

// What the group may use of the CPU, and how often it was held back ("nr_throttled"); version 2.
json controlGroup() {
  const std::string own = readText("/proc/self/cgroup");
  const auto path = own.find("0::");
  if (path == own.npos) return nullptr;
  const std::string name = own.substr(path + 3, own.find('\n', path) - path - 3);
  const std::string directory = "/sys/fs/cgroup" + name;
  return {{"cpu_max", orNull(readText(directory + "/cpu.max"))},
          {"cpu_stat", orNull(readText(directory + "/cpu.stat"))}};
}

json sysctls() {
  json values = json::object();
  for (const char* name :
       {"kernel.io_uring_disabled", "net.core.somaxconn", "net.core.busy_poll",
        "net.core.busy_read", "net.core.rmem_max", "net.core.wmem_max", "net.core.netdev_budget",
        "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "net.ipv4.tcp_mem",
        "net.ipv4.tcp_congestion_control", "net.ipv4.tcp_max_syn_backlog",
        "net.ipv4.tcp_max_tw_buckets", "net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_autocorking",
        "net.ipv4.ip_local_port_range", "fs.nr_open", "fs.file-max"}) {
    std::string path = std::string("/proc/sys/") + name;
    for (char& letter : path) letter = letter == '.' ? '/' : letter;
    values[name] = readText(path);
  }
  return values;
}

json limitOf(int resource) {
  rlimit limit{};
  ::getrlimit(static_cast<__rlimit_resource>(resource), &limit);
  const auto value = [](rlim_t bound) {
    return bound == RLIM_INFINITY ? json("unlimited") : json(bound);
  };
  return {{"soft", value(limit.rlim_cur)}, {"hard", value(limit.rlim_max)}};
}

json build() {
#ifdef __clang__
  const char* compiler = "clang " __clang_version__;
#else
  const char* compiler = "g++ " __VERSION__;
#endif
#ifdef __OPTIMIZE__
  const bool optimised = true;
#else
  const bool optimised = false;
#endif
#ifdef NDEBUG
  const bool assertions = false;
#else
  const bool assertions = true;
#endif
  return {{"penstock", PENSTOCK_VERSION},
          {"commit", orNull(PENSTOCK_COMMIT)},
          {"liburing", orNull(PENSTOCK_LIBURING)},
          {"compiler", compiler},
          {"build_type", PENSTOCK_BUILD_TYPE},
          {"flags", withoutPaths(PENSTOCK_BUILD_FLAGS)},
          {"sanitizers", PENSTOCK_SANITIZERS},
          {"optimised", optimised},
          {"assertions", assertions}};
}

// What the kernel offers to the library, and what the library makes of it.
json rings() {
  json features = json::array();
  for (const Capability& each : capabilities()) {
    features.push_back({{"name", each.name}, {"works", each.works}, {"use", each.use}});
  }
  json choice = nullptr;
  try {
    const BackendChoice chosen = chooseBackend();
    choice = {{"backend", nameOf(chosen.backend)}, {"why", chosen.why}};
  } catch (const std::exception& refused) {
    choice = {{"backend", "none"}, {"why", refused.what()}};
  }
  const char* forced = std::getenv("PENSTOCK_BACKEND");
  return {{"capabilities", features},
          {"ring", describeRing()},
          {"chosen", choice},
          {"PENSTOCK_BACKEND", forced == nullptr ? json(nullptr) : json(forced)}};
}

std::string utcNow() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

// The first of its three averages; the rest names processes.
std::string loadAverage() {
  const std::string text = readText("/proc/loadavg");
  return text.substr(0, text.find(' '));
}

}  // namespace

std::string clockSource() {
  return readText("/sys/devices/system/clocksource/clocksource0/current_clocksource");
}

json captureEnvironment() {
  return {{"taken_at", utcNow()},
          {"kernel", kernel()},
          {"mitigations", mitigations()},
          {"cpu", cpu()},
          {"virtualisation", virtualisation()},
          {"container", container()},
          {"control_group", controlGroup()},
          {"sysctls", sysctls()},
          {"limits",
           {{"descriptors", limitOf(RLIMIT_NOFILE)}, {"locked_memory", limitOf(RLIMIT_MEMLOCK)}}},
          {"clock", clockSource()},
          {"transparent_huge_pages", readText("/sys/kernel/mm/transparent_hugepage/enabled")},
          {"load_average_at_start", loadAverage()},
          {"hardware_counters", exists("/sys/bus/event_source/devices/cpu")},
          {"build", build()},
          {"io_uring", rings()}};
}

}  // namespace penstock::compare
