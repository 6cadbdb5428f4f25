#include <penstock/bench/compare/proc_file.h>
#include <penstock/bench/compare/run/gates.h>
#include <penstock/bench/compare/run/lateness.h>
#include <penstock/bench/compare/run/statistics.h>

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

std::vector<const Sample*> goodSamples(const Series& series) {
  std::vector<const Sample*> good;
  for (const Sample& sample : series.samples) {
    if (sample.fault.empty()) good.push_back(&sample);
  }
  return good;
}

// A server that fails once may fail again: nothing is claimed for this cell.
void checkFaults(const Series& series, Marks& marks) {
  std::size_t failed = 0;
  std::string first;
  for (const Sample& sample : series.samples) {
    if (sample.fault.empty()) continue;
    if (failed++ == 0) first = sample.fault;
  }
  if (failed == 0) return;
  reject(marks, first + " (" + std::to_string(failed) + " of " +
                    std::to_string(series.samples.size()) + " repetitions)");
}

void checkBackend(const Series& series, Marks& marks) {
  const Engine* engine = findEngine(series.engine);
  for (const Sample* sample : goodSamples(series)) {
    const std::string& kernel = sample->load.kernelBackend;
    const bool mixed = engine->mixesBackends && kernel == "both";
    if (kernel != engine->backend && !mixed) {
      return reject(marks, "backend is " + kernel + " by its descriptors, not " + engine->backend);
    }
    if (sample->printedBackend != engine->backend) {
      return reject(marks, "the server says that its backend is " + sample->printedBackend +
                               ", not " + engine->backend);
    }
  }
}

// Figures of a handful of samples together: one sample's ticks are too coarse.
struct Totals {
  double windowNs = 0;
  double serverNs = 0;
  double clientNs = 0;
  double waitNs = 0;
  double softirqNs = 0;
  double busyNs = 0;
  double stolenNs = 0;
};

Totals totalsOf(const std::vector<const Sample*>& samples) {
  const double nsPerTick = 1e9 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  Totals totals;
  for (const Sample* sample : samples) {
    const Usage& server = sample->load.server;
    totals.windowNs += static_cast<double>(server.atNs);
    totals.serverNs += static_cast<double>(server.cpuNs);
    totals.clientNs += static_cast<double>(sample->load.clientCpuNs);
    totals.waitNs += static_cast<double>(server.waitNs);
    totals.softirqNs += static_cast<double>(server.softirqNs);
    totals.busyNs += static_cast<double>(server.machineBusyTicks) * nsPerTick;
    totals.stolenNs += static_cast<double>(server.stolenTicks) * nsPerTick;
  }
  return totals;
}

// One core that works for us can be a whole tick out at each end of a window.
void checkNeighbours(const Totals& totals, std::size_t samples, Marks& marks) {
  const double nsPerTick = 1e9 / static_cast<double>(::sysconf(_SC_CLK_TCK));
  const double unsure = nsPerTick * std::sqrt(static_cast<double>(samples));
  const double foreign = totals.busyNs - totals.serverNs - totals.clientNs - totals.softirqNs;
  const double cores = std::max(0.0, foreign - unsure) / totals.windowNs;
  const std::string text = "other load on the machine: " + percent(cores) + " of a core";
  if (cores > Limits::kForeignInvalid) return reject(marks, text);
  if (cores > Limits::kForeignWarn) warn(marks, text);
  const double stolen = totals.stolenNs / totals.windowNs;
  if (stolen > Limits::kForeignWarn) {
    warn(marks, "the hypervisor took " + percent(stolen) + " of a core");
  }
}

bool clientIsBusy(const Totals& totals, const CellResult& result) {
  return !result.cell.open() && totals.clientNs > totals.windowNs * Limits::kClientCore;
}

void checkCores(const Totals& totals, const CellResult& result, Marks& marks) {
  if (clientIsBusy(totals, result)) {
    warn(marks, "the load generator used " + percent(totals.clientNs / totals.windowNs) +
                    " of its core (the server " + percent(totals.serverNs / totals.windowNs) +
                    "): throughput is not compared, CPU per unit is");
  }
  const double waits = totals.waitNs / totals.windowNs;
  if (waits > Limits::kServerWaits) {
    warn(marks, "the server waited " + percent(waits) + " of the time for its core");
  }
  if (totals.softirqNs > totals.serverNs * Limits::kSoftirq) {
    warn(marks, "ksoftirqd did work worth " + percent(totals.softirqNs / totals.serverNs) +
                    " of the server's CPU, which is not counted");
  }
}

void checkPlacement(const std::vector<const Sample*>& samples, Marks& marks) {
  for (const Sample* sample : samples) {
    if (sample->load.server.core != sample->load.clientCore) continue;
    return reject(marks, "server and client ran on one core");
  }
}

void checkTime(const std::vector<const Sample*>& samples, Marks& marks) {
  for (const Sample* sample : samples) {
    if (sample->load.server.atNs > 0 && sample->load.seconds > 0) continue;
    return reject(marks, "the clock ran backwards or stood still in a window");
  }
}

double spreadOf(const std::vector<const Sample*>& samples, const Cell& cell,
                const std::string& metric) {
  std::vector<double> values;
  for (const Sample* sample : samples) {
    const Metrics metrics = metricsOf(*findWorkload(cell.workload), *sample);
    const auto value = metrics.find(metric);
    if (value != metrics.end()) values.push_back(value->second);
  }
  return values.size() < 2 ? 0 : spread(values);
}

// Of what is compared in such a cell, whatever lies furthest apart.
void checkSpread(const std::vector<const Sample*>& samples, const Cell& cell, Marks& marks) {
  std::vector<std::string> metrics{primaryMetric(cell), cell.open() ? "p99_us" : "rate"};
  if (cell.open()) metrics.emplace_back("p50_us");
  double most = 0;
  std::string worst;
  for (const std::string& metric : metrics) {
    const double found = spreadOf(samples, cell, metric);
    if (found > most) worst = metric;
    most = std::max(most, found);
  }
  if (most <= Limits::kSpread) return;
  warn(marks,
       std::string(infoOf(worst).title) + " of the repetitions lies " + percent(most) + " apart");
}

void checkRepetitions(const std::vector<const Sample*>& samples, const Cell& cell, Marks& marks) {
  if (samples.size() < Limits::kRepetitions) {
    const char* noun = samples.size() == 1 ? " repetition" : " repetitions";
    warn(marks, "only " + std::to_string(samples.size()) + noun);
  }
  checkSpread(samples, cell, marks);
}

// What was started and is not answered is the server's; what was not even started is the client's.
void checkOfferedRate(const std::vector<const Sample*>& samples, const CellResult& result,
                      Marks& marks) {
  if (result.ratePerSecond <= 0) return reject(marks, "the capacity is not known");
  std::vector<double> kept;
  double missing = 0;
  double unanswered = 0;
  for (const Sample* sample : samples) {
    const double offered = result.ratePerSecond * sample->load.seconds;
    const auto backlog = sample->load.extra.find("backlog_messages");
    kept.push_back(sample->load.units / offered);
    missing += std::max(0.0, offered - sample->load.units);
    if (backlog != sample->load.extra.end()) unanswered += backlog->second;
  }
  if (kept.empty() || median(kept) >= Limits::kOfferedKept) return;
  const std::string share = percent(median(kept)) + " of the messages only";
  if (unanswered < missing / 2) return reject(marks, "the load generator started " + share);
  warn(marks, "the server kept up with " + share);
}

// Latency counts from when a message was to start, so a client that starts late is in it. True if
// so much that nothing can be said of the server.
bool checkLateness(const std::vector<const Sample*>& samples, Marks& marks) {
  const double share = lateShare(samples);
  if (share <= Limits::kLateWarn) return false;
  const std::string text = "the load generator started its messages late: " + percent(share) +
                           " of the latency is its own, not the server's";
  if (share <= Limits::kLateInvalid) {
    warn(marks, text);
    return false;
  }
  reject(marks, text);
  return true;
}

void checkOpenLoop(const std::vector<const Sample*>& samples, const CellResult& result,
                   Marks& marks) {
  if (!result.cell.open()) return;
  if (result.ratePerSecond < result.wantedRate) {
    warn(marks, "offered " + percent(result.ratePerSecond / result.wantedRate) +
                    " of the rate that the cell asks for: the load generator starts no more in "
                    "time");
  }
  if (!checkLateness(samples, marks)) checkOfferedRate(samples, result, marks);
}

void checkMemory(const std::vector<const Sample*>& samples, Marks& marks) {
  for (const Sample* sample : samples) {
    const auto growth = sample->load.extra.find("growth_mib");
    if (growth == sample->load.extra.end() || growth->second <= Limits::kGrowthMiB) continue;
    return reject(marks, "memory is not bounded: it grew by " +
                             std::to_string(std::lround(growth->second)) + " MiB");
  }
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
  checkFaults(series, marks);
  const auto samples = goodSamples(series);
  if (samples.empty()) return marks;
  const Totals totals = totalsOf(samples);
  checkBackend(series, marks);
  checkPlacement(samples, marks);
  checkTime(samples, marks);
  checkOpenLoop(samples, result, marks);
  checkMemory(samples, marks);
  checkNeighbours(totals, samples.size(), marks);
  checkCores(totals, result, marks);
  checkRepetitions(samples, result.cell, marks);
  return marks;
}

bool clientIsBusy(const Series& series, const CellResult& result) {
  return clientIsBusy(totalsOf(goodSamples(series)), result);
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
