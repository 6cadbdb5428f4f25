#include <penstock/bench/compare/proc_file.h>
#include <penstock/bench/compare/run/gates.h>
#include <penstock/bench/compare/run/lateness.h>

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace penstock::compare {
namespace {

using Marks = std::vector<Mark>;

void warn(Marks& marks, std::string reason) { marks.push_back({Grade::kWarn, std::move(reason)}); }

void reject(Marks& marks, std::string reason) {
  marks.push_back({Grade::kInvalid, std::move(reason)});
}

std::string percent(double share) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f %%", share * 100);
  return text;
}

// A server that fails once may fail again: nothing is said of this cell.
void checkFault(const Sample& sample, Marks& marks) {
  if (!sample.fault.empty()) reject(marks, sample.fault);
}

void checkBackend(const Series& series, Marks& marks) {
  const Engine* engine = findEngine(series.engine);
  const std::string& kernel = series.sample.load.kernelBackend;
  const bool mixed = engine->mixesBackends && kernel == "both";
  if (kernel != engine->backend && !mixed) {
    return reject(marks, "backend is " + kernel + " by its descriptors, not " + engine->backend);
  }
  const std::string& printed = series.sample.printedBackend;
  if (printed == engine->backend) return;
  reject(marks, "the server says that its backend is " + printed + ", not " + engine->backend);
}

// Of all slices together: one slice's ticks are too coarse.
struct Totals {
  double windowNs = 0;
  double serverNs = 0;
  double clientNs = 0;
  double waitNs = 0;
  double busyNs = 0;
  double stolenNs = 0;
  double units = 0;
  double seconds = 0;
  double underWay = 0;
};

Totals totalsOf(const std::vector<Slice>& slices) {
  const double nsPerTick = 1e9 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  Totals totals;
  for (const Slice& slice : slices) {
    totals.windowNs += static_cast<double>(slice.server.atNs);
    totals.serverNs += static_cast<double>(slice.cpuNs());
    totals.clientNs += static_cast<double>(slice.clientCpuNs);
    totals.waitNs += static_cast<double>(slice.server.waitNs);
    totals.busyNs += static_cast<double>(slice.server.machineBusyTicks) * nsPerTick;
    totals.stolenNs += static_cast<double>(slice.server.stolenTicks) * nsPerTick;
    totals.units += slice.units;
    totals.seconds += slice.seconds;
    totals.underWay += slice.underWay;
  }
  return totals;
}

// One core that works for us can be a whole tick out at each end of a slice.
void checkNeighbours(const Totals& totals, std::size_t slices, Marks& marks) {
  const double nsPerTick = 1e9 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  const double unsure = nsPerTick * std::sqrt(static_cast<double>(slices));
  const double foreign = totals.busyNs - totals.serverNs - totals.clientNs;
  const double cores = std::max(0.0, foreign - unsure) / totals.windowNs;
  if (cores > Limits::kForeign) {
    warn(marks, "other load on the machine: " + percent(cores) + " of a core");
  }
  const double stolen = totals.stolenNs / totals.windowNs;
  if (stolen > Limits::kForeign) {
    warn(marks, "the hypervisor took " + percent(stolen) + " of a core");
  }
}

bool clientIsBusy(const Totals& totals, const CellResult& result) {
  return !result.cell.open() && totals.clientNs > totals.seconds * 1e9 * Limits::kClientCore;
}

void checkCores(const Totals& totals, const CellResult& result, Marks& marks) {
  if (clientIsBusy(totals, result)) {
    const double window = totals.seconds * 1e9;
    warn(marks, "the load generator used " + percent(totals.clientNs / window) +
                    " of its core (the server " + percent(totals.serverNs / window) +
                    "): throughput is not compared, CPU of a unit is");
  }
  const double waits = totals.waitNs / totals.windowNs;
  if (waits > Limits::kServerWaits) {
    warn(marks, "the server waited " + percent(waits) + " of the time for its core");
  }
}

void checkPlacement(const LoadResult& load, Marks& marks) {
  const auto together = [&load](const Slice& slice) {
    return slice.server.core == load.clientCore;
  };
  if (std::any_of(load.slices.begin(), load.slices.end(), together)) {
    reject(marks, "server and client ran on one core");
  }
}

void checkTime(const LoadResult& load, Marks& marks) {
  const auto timeless = [](const Slice& slice) {
    return slice.server.atNs <= 0 || slice.seconds <= 0;
  };
  if (std::any_of(load.slices.begin(), load.slices.end(), timeless)) {
    reject(marks, "the clock ran backwards or stood still in a slice");
  }
}

void checkRounds(const LoadResult& load, const CellResult& result, Marks& marks) {
  const std::size_t rounds = load.slices.size();
  if (rounds >= Limits::kRounds || !takesTurns(result.cell)) return;
  warn(marks, "only " + std::to_string(rounds) + (rounds == 1 ? " round" : " rounds"));
}

// What was started and is not answered is the server's; what was not even started is the client's.
void checkOfferedRate(const Totals& totals, const CellResult& result, Marks& marks) {
  if (result.ratePerSecond <= 0) return reject(marks, "the capacity is not known");
  const double offered = result.ratePerSecond * totals.seconds;
  if (totals.units >= offered * Limits::kOfferedKept) return;
  const std::string share = percent(totals.units / offered) + " of the messages only";
  const bool ours = totals.underWay < (offered - totals.units) / 2;
  warn(marks, (ours ? "the load generator started " : "the server kept up with ") + share);
}

// Latency counts from when a message was to start, so a client that starts late is in it.
void checkLateness(const LoadResult& load, Marks& marks) {
  const double share = lateShare(load);
  if (share <= Limits::kLateWarn) return;
  warn(marks, "the load generator started its messages late: " + percent(share) +
                  " of the latency is its own" +
                  (share > Limits::kLate ? ", and it is not compared" : ""));
}

void checkOpenLoop(const LoadResult& load, const Totals& totals, const CellResult& result,
                   Marks& marks) {
  if (!result.cell.open()) return;
  if (result.ratePerSecond < result.wantedRate) {
    warn(marks, "offered " + percent(result.ratePerSecond / result.wantedRate) +
                    " of the rate that the cell asks for: the load generator starts no more in "
                    "time");
  }
  checkLateness(load, marks);
  checkOfferedRate(totals, result, marks);
}

void checkMemory(const LoadResult& load, Marks& marks) {
  const auto growth = load.extra.find("growth_mib");
  if (growth == load.extra.end() || growth->second <= Limits::kGrowthMiB) return;
  reject(marks, "memory is not bounded: it grew by " + std::to_string(std::lround(growth->second)) +
                    " MiB");
}

bool shareOneCore(const Cores& cores) {
  const std::string path = "/sys/devices/system/cpu/cpu" + std::to_string(cores.server) +
                           "/topology/thread_siblings_list";
  // "0,4" or "0-1"
  const auto siblings = numbersIn(readText(path));
  return std::any_of(siblings.begin(), siblings.end(),
                     [&cores](std::int64_t sibling) { return std::abs(sibling) == cores.client; });
}

void checkClock(Marks& marks) {
  const std::string source =
      readText("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  const bool trusted = source == "tsc" || source == "kvm-clock" || source == "arch_sys_counter" ||
                       source == "hyperv_clocksource_tsc_page" || source == "xen";
  if (!trusted && !source.empty()) warn(marks, "slow or unusual clock: " + source);
  std::int64_t last = monotonicNs();
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t now = monotonicNs();
    if (now < last) return reject(marks, "the clock ran backwards");
    last = now;
  }
}

}  // namespace

std::string_view nameOf(Grade grade) noexcept {
  switch (grade) {
    case Grade::kOk:
      return "";
    case Grade::kWarn:
      return "WARN";
    case Grade::kInvalid:
      return "INVALID";
  }
  return "";
}

Grade worst(const Marks& marks) noexcept {
  Grade grade = Grade::kOk;
  for (const Mark& mark : marks) grade = std::max(grade, mark.grade);
  return grade;
}

std::vector<Mark> marksOf(const Series& series, const CellResult& result) {
  Marks marks;
  const LoadResult& load = series.sample.load;
  checkFault(series.sample, marks);
  if (load.slices.empty() || !marks.empty()) return marks;
  const Totals totals = totalsOf(load.slices);
  checkBackend(series, marks);
  checkPlacement(load, marks);
  checkTime(load, marks);
  checkOpenLoop(load, totals, result, marks);
  checkMemory(load, marks);
  checkNeighbours(totals, load.slices.size(), marks);
  checkCores(totals, result, marks);
  checkRounds(load, result, marks);
  return marks;
}

bool clientIsBusy(const Series& series, const CellResult& result) {
  return clientIsBusy(totalsOf(series.sample.load.slices), result);
}

bool clientIsLate(const Series& series, const CellResult& result) {
  return result.cell.open() && lateShare(series.sample.load) > Limits::kLate;
}

std::vector<Mark> marksOfMachine(const Plan& plan) {
  Marks marks;
  const std::string sanitizers =
      PENSTOCK_SANITIZERS;  // Of the build; compilers do not tell of all.
  if (sanitizers != "none") reject(marks, "built with a sanitizer: " + sanitizers);
#if !defined(__OPTIMIZE__)
  reject(marks, "built without optimisation");
#elif !defined(NDEBUG)
  warn(marks, "not a release build: assertions are on");
#endif
  if (shareOneCore(plan.cores)) {
    warn(marks, "server and client are on two threads of one core");
  }
  if (interruptsCountApart()) {
    warn(marks,
         "this kernel counts interrupts apart: the CPU of a server lacks what the kernel "
         "did to receive for it");
  }
  checkClock(marks);
  return marks;
}

}  // namespace penstock::compare
