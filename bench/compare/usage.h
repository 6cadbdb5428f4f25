// What a process has used of the machine, by the kernel's accounting; all its threads counted.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace penstock::compare {

// One thread's part of a Usage.
struct ThreadUsage {
  std::string id;
  bool kernelWorker = false;  // io-wq or SQPOLL.
  std::int64_t cpuNs = 0;
  std::int64_t waitNs = 0;
  std::int64_t voluntary = 0;
  std::int64_t involuntary = 0;
};

// Totals since the start of the process, or, as a difference of two, of the time between.
struct Usage {
  std::int64_t atNs = 0;         // CLOCK_MONOTONIC when taken.
  std::int64_t cpuNs = 0;        // On a core, all threads, io_uring's kernel workers too.
  std::int64_t workerNs = 0;     // Of these: io-wq and SQPOLL threads.
  std::int64_t waitNs = 0;       // Ready to run, but something else had the core.
  std::int64_t userTicks = 0;    // User and system time in clock ticks: a coarse clock, good
  std::int64_t systemTicks = 0;  // for how cpuNs divides, no more.
  std::int64_t voluntary = 0;    // Context switches.
  std::int64_t involuntary = 0;
  std::int64_t softirqNs = 0;         // ksoftirqd of the core: work for the network put off to it.
  std::int64_t machineBusyTicks = 0;  // All cores, all that counts as somebody's CPU.
  std::int64_t stolenTicks = 0;       // Taken by the hypervisor.
  unsigned threads = 0;               // At the later of the two moments.
  std::vector<ThreadUsage> perThread{};
  int core = -1;  // Where the main thread ran last.
};

// Takes the totals of `pid`, whose server is pinned to `core`. The CPU clock is read first, so
// that a count taken just before belongs to it. Throws std::runtime_error once the process is gone.
Usage usageOf(pid_t pid, int core);

// Waits until no thread of `pid` runs nor has run for a moment: then its CPU clock lacks nothing.
// False: it went on for `mostNs`. Throws std::runtime_error once the process is gone.
bool awaitQuiet(pid_t pid, std::int64_t mostNs);

// What was used between the two. A thread that has ended takes its waits and switches with it; its
// CPU stays in cpuNs.
Usage operator-(const Usage& later, const Usage& earlier);

// Whether this kernel counts interrupts apart (CONFIG_IRQ_TIME_ACCOUNTING): then what it does for
// the network on its own account is in nobody's CPU time.
bool interruptsCountApart();

// The CPU time of the calling process.
std::int64_t ownCpuNs();
std::int64_t monotonicNs();

// Resident memory in bytes: exact, but slow; 0 when the process is gone. `peak` is the highest
// ever, by the kernel's coarser count.
struct Memory {
  std::int64_t resident = 0;
  std::int64_t peak = 0;
};
Memory memoryOf(pid_t pid);

// Memory of the kernel that connections use, in bytes, of the whole machine.
struct KernelMemory {
  std::int64_t slab = 0;        // Objects such as sockets.
  std::int64_t tcpBuffers = 0;  // Pages with bytes on their way.
};
KernelMemory kernelMemory();

// What `pid` waits in, by its open descriptors: "io_uring", "epoll", "both" or "none".
std::string kernelBackendOf(pid_t pid);

nlohmann::json toJson(const Usage& usage);
Usage usageFromJson(const nlohmann::json& json);

}  // namespace penstock::compare
