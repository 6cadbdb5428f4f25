#include <penstock/bench/compare/load/counters.h>

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>

namespace penstock::compare {
namespace {

OwnedFd openCounter(pid_t thread, std::uint64_t what) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_HARDWARE;
  attributes.config = what;
  attributes.inherit = 1;
  constexpr int kAnyCore = -1;
  constexpr int kNoGroup = -1;
  const long fd =
      ::syscall(SYS_perf_event_open, &attributes, thread, kAnyCore, kNoGroup, PERF_FLAG_FD_CLOEXEC);
  return OwnedFd(static_cast<int>(fd));
}

}  // namespace

Counters::Counters(pid_t pid) {
  std::error_code gone;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& entry : std::filesystem::directory_iterator(tasks, gone)) {
    const std::string name = entry.path().filename().string();
    pid_t thread = 0;
    std::from_chars(name.data(), name.data() + name.size(), thread);
    count(thread);
  }
}

void Counters::count(pid_t thread) {
  instructions_.push_back(openCounter(thread, PERF_COUNT_HW_INSTRUCTIONS));
  cycles_.push_back(openCounter(thread, PERF_COUNT_HW_CPU_CYCLES));
}

// A sum that lacks a thread would look like a saving, so all are there or there is none.
std::optional<std::uint64_t> Counters::sum(const std::vector<OwnedFd>& counters) {
  std::uint64_t total = 0;
  for (const OwnedFd& counter : counters) {
    std::uint64_t value = 0;
    if (!counter || ::read(counter.get(), &value, sizeof value) != sizeof value) return {};
    total += value;
  }
  if (total == 0) return {};
  return total;
}

}  // namespace penstock::compare
