#include <penstock/bench/compare/load/counters.h>
#include <penstock/bench/compare/load/sockets.h>
#include <penstock/bench/compare/proc_file.h>
#include <penstock/bench/compare/run/judgement.h>
#include <penstock/bench/compare/run/plan.h>
#include <penstock/bench/compare/run/system_calls.h>

#include <nlohmann/json.hpp>

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

namespace penstock::compare {
namespace {

// What a server of a cell takes beside its slices: to start, connect, warm up and end.
constexpr double kServerSeconds = 0.17;  // In each sitting.
// What a slice takes beside its time: to drain, and to be read off.
constexpr double kSliceOverhead = 0.002;
// A pass of its own, for system calls or for memory.
constexpr double kPassSeconds = 0.55;

constexpr unsigned kFewestPlanned = 30;
constexpr unsigned kMostPlanned = 120;

// What all cells together may take; the rounds are as many as there is time for.
double budgetSeconds(Profile profile) {
  switch (profile) {
    case Profile::kQuick:
      return 65;
    case Profile::kStandard:
      return 150;
    case Profile::kSpeed:
      return 600;
    case Profile::kFull:
      return 0;  // As long as it takes.
  }
  return 0;
}

std::vector<std::string> engineNamesOf(Profile profile) {
  std::vector<std::string> names;
  const bool all = profile == Profile::kFull || profile == Profile::kSpeed;
  for (const Engine& engine : engines()) {
    if (all || engine.isPenstock()) names.push_back(engine.name);
  }
  return names;
}

std::string withCommas(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string engineList() {
  std::vector<std::string> names;
  for (const Engine& engine : engines()) names.push_back(engine.name);
  return withCommas(names);
}

std::string workloadList() {
  std::vector<std::string> names;
  for (const Workload& workload : workloads()) names.push_back(workload.name);
  return withCommas(names);
}

std::string whyNoCounters() {
  if (::access("/sys/bus/event_source/devices/cpu", F_OK) != 0) {
    return "this machine does not offer counters";
  }
  return "the kernel does not allow it (kernel.perf_event_paranoid is " +
         readText("/proc/sys/kernel/perf_event_paranoid") + ")";
}

const Engine& requireEngine(const std::string& name) {
  const Engine* engine = findEngine(name);
  if (engine == nullptr) {
    throw BadRequest("there is no engine '" + name + "'; there are " + engineList());
  }
  const std::string why = whyUnavailable(*engine);
  if (!why.empty()) throw BadRequest("engine " + name + " cannot run here: " + why);
  return *engine;
}

const Workload& requireWorkload(const std::string& name) {
  const Workload* workload = findWorkload(name);
  if (workload != nullptr) return *workload;
  throw BadRequest("there is no workload '" + name + "'; there are " + workloadList());
}

void requireClient(const std::string& client) {
  if (clientWorks(client)) return;
  throw BadRequest("the load generator cannot use '" + client +
                   "' here; it has io_uring, where that works, and epoll");
}

// An engine beside itself would be a second A/A pair that looks like a comparison.
const std::vector<std::string>& requireDistinct(const std::vector<std::string>& engines) {
  for (const std::string& name : engines) {
    if (std::count(engines.begin(), engines.end(), name) == 1) continue;
    throw BadRequest("engine " + name + " is named twice");
  }
  return engines;
}

std::vector<std::string> chosenEngines(const PlanRequest& request) {
  if (!request.engines.empty()) return requireDistinct(request.engines);
  std::vector<std::string> names = engineNamesOf(request.profile);
  std::erase_if(names, [](const std::string& name) {
    return !name.starts_with("penstock-") && !whyUnavailable(*findEngine(name)).empty();
  });
  return names;
}

bool isWanted(const Cell& cell, const std::vector<std::string>& only) {
  if (only.empty()) return true;
  const std::string name = nameOf(cell);
  return std::any_of(only.begin(), only.end(),
                     [&name](const std::string& part) { return name.find(part) != name.npos; });
}

// Epoll, because what it measures an independent program measures again; but where many engines are
// held against each other, the client should be as seldom the limit as can be.
std::string clientOf(const PlanRequest& request) {
  if (!request.client.empty()) return request.client;
  return std::string(request.profile == Profile::kSpeed ? bestClient() : kEpollClient);
}

// The cells of `workload` with their clients. Those that come with one of their own are left out
// where it does not work, or where all were asked to have the same.
std::vector<Cell> cellsOf(const Workload& workload, const PlanRequest& request) {
  std::vector<Cell> cells = workload.cells(request.profile);
  std::erase_if(cells, [&request](const Cell& cell) {
    return cell.client != kEpollClient && (!request.client.empty() || !clientWorks(cell.client));
  });
  if (!workload.sendsMessages) return cells;
  for (Cell& cell : cells) {
    if (cell.client == kEpollClient) cell.client = clientOf(request);
  }
  return cells;
}

// An open loop needs to know the capacity, so its saturated cell is measured with it.
void addNeeded(std::vector<Cell>& cells) {
  std::vector<Cell> needed;
  for (const Cell& cell : cells) {
    const Cell closed = cell.closed();
    const auto known = [&closed](const std::vector<Cell>& in) {
      return std::find(in.begin(), in.end(), closed) != in.end();
    };
    if (cell.open() && !known(cells) && !known(needed)) needed.push_back(closed);
  }
  cells.insert(cells.begin(), needed.begin(), needed.end());
}

std::vector<Cell> chosenCells(const PlanRequest& request) {
  for (const std::string& name : request.workloads) requireWorkload(name);
  std::vector<Cell> cells;
  for (const Workload& workload : workloads()) {
    const auto& named = request.workloads;
    if (!named.empty() && std::find(named.begin(), named.end(), workload.name) == named.end()) {
      continue;
    }
    std::ranges::copy_if(cellsOf(workload, request), std::back_inserter(cells),
                         [&request](const Cell& cell) { return isWanted(cell, request.only); });
  }
  addNeeded(cells);
  if (!cells.empty()) return cells;
  throw BadRequest("no cell of profile " + std::string(nameOf(request.profile)) +
                   " is left by --workloads and --only");
}

std::vector<int> usableCores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  ::sched_getaffinity(0, sizeof set, &set);
  std::vector<int> cores;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

Cores chooseCores() {
  const std::vector<int> cores = usableCores();
  if (cores.size() < 2) {
    throw BadRequest("this process may use one core only; server and client need one each");
  }
  // The next core is often the other half of the first one, so the one furthest away is taken.
  return {cores.front(), cores.back()};
}

std::size_t serversOf(const Plan& plan) {
  return plan.engines.size() + (plan.again.empty() ? 0 : 1);
}

// Of the load generator, which has a connection to each server for each of the cell's; or two and
// what else a relay has.
rlim_t descriptorsOf(const Cell& cell, std::size_t servers) {
  constexpr rlim_t kSpare = 64;
  constexpr rlim_t kRelayed = 6;
  const Workload* workload = findWorkload(cell.workload);
  const rlim_t each = workload->service(cell).callsBack ? kRelayed : 1;
  return cell.connections * each * (takesTurns(cell) ? servers : 1) + kSpare;
}

// Without the rounds.
double fixedSeconds(const Plan& plan) {
  const auto cells = static_cast<double>(plan.cells.size());
  return cells * (kServerSeconds * kSittings * static_cast<double>(serversOf(plan)) +
                  kPassSeconds * static_cast<double>(plan.engines.size()));
}

double roundSeconds(const Plan& plan) {
  double sum = 0;
  for (const Cell& cell : plan.cells) {
    if (takesTurns(cell)) sum += sliceSeconds(plan, cell) + kSliceOverhead;
  }
  return sum * static_cast<double>(serversOf(plan));
}

// As many as the profile has time for, and 30 at least.
unsigned roundsOf(Profile profile, const Plan& plan) {
  const double budget = budgetSeconds(profile);
  const double each = roundSeconds(plan);
  if (budget <= 0 || each <= 0) return kFewestPlanned;
  const double rounds = (budget - fixedSeconds(plan)) / each;
  return static_cast<unsigned>(std::clamp<double>(rounds, kFewestPlanned, kMostPlanned));
}

// Throws BadRequest if this machine cannot carry `plan` out.
void checkPlan(const Plan& plan) {
  if (plan.engines.empty() || plan.cells.empty()) throw BadRequest("there is nothing to measure");
  for (const std::string& name : plan.engines) requireEngine(name);
  if (!plan.again.empty()) requireEngine(plan.again);
  if (locateProgram("penstock-bench-load").empty()) {
    throw BadRequest("penstock-bench-load is missing; it is built with this program");
  }
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  for (const Cell& cell : plan.cells) {
    requireWorkload(cell.workload);
    requireClient(cell.client);
    if (descriptorsOf(cell, serversOf(plan)) <= limit.rlim_max) continue;
    throw BadRequest("cell " + nameOf(cell) + " needs more descriptors than the limit of " +
                     std::to_string(limit.rlim_max) +
                     "; raise it (ulimit -Hn), leave the cell out (--only), or take fewer engines");
  }
}

}  // namespace

Plan makePlan(const PlanRequest& request) {
  Plan plan;
  plan.profile = nameOf(request.profile);
  plan.engines = chosenEngines(request);
  const bool hasEpoll =
      std::find(plan.engines.begin(), plan.engines.end(), "penstock-epoll") != plan.engines.end();
  plan.again = hasEpoll ? "penstock-epoll" : plan.engines.front();
  plan.cells = chosenCells(request);
  plan.seed = request.seed;
  plan.cores = chooseCores();
  plan.rounds = request.rounds == 0 ? roundsOf(request.profile, plan) : request.rounds;
  checkPlan(plan);
  return plan;
}

Plan adapted(Plan plan) {
  const std::vector<int> cores = usableCores();
  const auto usable = [&cores](int core) {
    return std::find(cores.begin(), cores.end(), core) != cores.end();
  };
  if (!usable(plan.cores.server) || !usable(plan.cores.client)) plan.cores = chooseCores();
  checkPlan(plan);
  return plan;
}

std::vector<std::string> whatIsMissing(const PlanRequest& request) {
  std::vector<std::string> missing;
  const bool named = !request.engines.empty();
  for (const std::string& name : engineNamesOf(request.profile)) {
    const std::string why = whyUnavailable(*findEngine(name));
    if (!named && !why.empty()) missing.push_back("engine " + name + " is left out: " + why);
  }
  if (locateStrace().empty()) {
    missing.push_back("system calls are not counted: apt-get install strace");
  }
  if (!Counters(::getpid()).instructions()) {
    missing.push_back("instructions and cycles are not counted: " + whyNoCounters());
  }
  return missing;
}

double sliceSeconds(const Plan& plan, const Cell& cell) {
  constexpr double kOnce = 0.5;
  if (!takesTurns(cell)) return kOnce;
  return plan.seconds;
}

double expectedSeconds(const Plan& plan) {
  return fixedSeconds(plan) + plan.rounds * roundSeconds(plan);
}

nlohmann::json toJson(const Plan& plan) {
  auto cells = nlohmann::json::array();
  for (const Cell& cell : plan.cells) cells.push_back(toJson(cell));
  return {{"profile", plan.profile},
          {"engines", plan.engines},
          {"again", plan.again},
          {"cells", std::move(cells)},
          {"rounds", plan.rounds},
          {"seconds", plan.seconds},
          {"seed", plan.seed},
          {"server_core", plan.cores.server},
          {"client_core", plan.cores.client}};
}

Plan planFromJson(const nlohmann::json& json) {
  Plan plan;
  json.at("profile").get_to(plan.profile);
  json.at("engines").get_to(plan.engines);
  json.at("again").get_to(plan.again);
  for (const auto& cell : json.at("cells")) plan.cells.push_back(cellFromJson(cell));
  json.at("rounds").get_to(plan.rounds);
  json.at("seconds").get_to(plan.seconds);
  json.at("seed").get_to(plan.seed);
  json.at("server_core").get_to(plan.cores.server);
  json.at("client_core").get_to(plan.cores.client);
  return plan;
}

}  // namespace penstock::compare
