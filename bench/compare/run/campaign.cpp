#include <penstock/bench/compare/run/campaign.h>
#include <penstock/bench/compare/run/lateness.h>
#include <penstock/bench/compare/run/statistics.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <random>
#include <set>

namespace penstock::compare {
namespace {

std::vector<CellResult> emptyResults(const Plan& plan) {
  std::vector<CellResult> results;
  for (const Cell& cell : plan.cells) {
    CellResult& result = results.emplace_back();
    result.cell = cell;
    const auto add = [&result](const std::string& engine, bool again) {
      if (!findEngine(engine)->serves(result.cell.workload)) return;
      result.series.push_back({engine, again, {}, {}});
    };
    for (const std::string& engine : plan.engines) add(engine, false);
    if (!plan.again.empty()) add(plan.again, true);
  }
  return results;
}

std::vector<std::size_t> shuffled(std::size_t count, std::mt19937_64& random) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

std::optional<double> capacityOf(const Series& series, const Workload& workload) {
  std::vector<double> rates;
  for (const Sample& sample : series.samples) {
    const Metrics metrics = metricsOf(workload, sample);
    if (sample.fault.empty() && metrics.contains("rate")) rates.push_back(metrics.at("rate"));
  }
  if (rates.empty()) return std::nullopt;
  return median(rates);
}

double leastCapacity(const CellResult& result, bool ownOnly) {
  const Workload* workload = findWorkload(result.cell.workload);
  std::optional<double> least;
  for (const Series& series : result.series) {
    if (ownOnly && !series.engine.starts_with("penstock-")) continue;
    const auto capacity = capacityOf(series, *workload);
    if (capacity) least = std::min(least.value_or(*capacity), *capacity);
  }
  return least.value_or(0);
}

class Campaign {
 public:
  Campaign(const Plan& plan, const Tell& tell)
      : outcome_{plan, emptyResults(plan), false}, tell_(tell), random_(plan.seed) {
    for (const CellResult& result : outcome_.cells) {
      progress_.all += result.series.size() * plan.repetitions;
      for (const Series& series : result.series) progress_.all += series.again ? 0 : 1;
    }
  }

  Outcome run() {
    rounds(false);
    for (CellResult& result : outcome_.cells) settleRate(result);
    rounds(true);
    for (CellResult& result : outcome_.cells) countCalls(result);
    noteUncounted();
    outcome_.complete = !interrupted();
    return std::move(outcome_);
  }

 private:
  // What the load generator cannot start in time is not asked for: its lateness would be taken for
  // the server's.
  void settleRate(CellResult& result) {
    constexpr int kTries = 5;
    constexpr double kLess = 0.85;
    result.ratePerSecond = result.wantedRate = offeredRate(result.cell, outcome_.cells);
    if (result.wantedRate <= 0 || result.series.empty()) return;
    for (int i = 0; i < kTries && !interrupted(); ++i) {
      if (!isOvercharged(takeSample(requestOf(result, result.series.front())).load)) return;
      result.ratePerSecond *= kLess;
    }
  }

  void rounds(bool open) {
    for (unsigned round = 0; round < outcome_.plan.repetitions; ++round) {
      for (const std::size_t at : shuffled(outcome_.cells.size(), random_)) {
        CellResult& result = outcome_.cells[at];
        if (result.cell.open() == open) visit(result);
      }
    }
  }

  void visit(CellResult& result) {
    for (const std::size_t at : shuffled(result.series.size(), random_)) {
      if (interrupted()) return;
      take(result, result.series[at]);
    }
  }

  void take(CellResult& result, Series& series) {
    announce(result, series);
    ++progress_.done;
    const bool never = neverServed(series);
    if (never || (result.cell.open() && result.ratePerSecond <= 0)) return;
    const SampleRequest request = requestOf(result, series);
    Sample sample = takeSample(request);
    windows_ += request.seconds;
    if (!interrupted()) series.samples.push_back(std::move(sample));
  }

  // One pass is enough: the counts hardly vary.
  void countCalls(CellResult& result) {
    for (Series& series : result.series) {
      if (interrupted() || series.again) continue;
      announce(result, series);
      ++progress_.done;
      if (!neverServed(series)) series.systemCalls = countSystemCalls(requestOf(result, series));
    }
  }

  // Each reason once, with where it was met first. No strace is a note of its own already.
  void noteUncounted() {
    std::set<std::string> told{"", kNotCounted, kNoStrace, kNotInOpenLoop};
    for (const CellResult& result : outcome_.cells) {
      for (const Series& series : result.series) {
        const std::string& why = series.systemCalls.whyNot;
        if (!told.insert(why).second) continue;
        outcome_.notes.push_back("system calls are not counted at " + nameOf(result.cell) + " of " +
                                 series.engine + ": " + why);
      }
    }
  }

  static bool neverServed(const Series& series) {
    return !series.samples.empty() && series.samples.front().notServed;
  }

  SampleRequest requestOf(const CellResult& result, const Series& series) const {
    SampleRequest request;
    request.cell = result.cell;
    request.engine = findEngine(series.engine);
    request.ratePerSecond = result.ratePerSecond;
    request.warmUpSeconds = outcome_.plan.warmUpSeconds;
    request.seconds = windowSeconds();
    request.seed = outcome_.plan.seed + series.samples.size();
    request.cores = outcome_.plan.cores;
    request.client = outcome_.plan.client;
    return request;
  }

  void announce(const CellResult& result, const Series& series) {
    progress_.now = nameOf(result.cell) + ' ' + series.engine;
    progress_.secondsLeft = secondsLeft();
    tell_(progress_);
  }

  // The plan's, or shorter where the machine is slower than the plan expected and there is a limit.
  double windowSeconds() const {
    constexpr double kShortest = 0.15;
    const Plan& plan = outcome_.plan;
    const auto done = static_cast<double>(progress_.done);
    if (plan.limitSeconds <= 0 || done < 5) return plan.seconds;
    const double passed = static_cast<double>(monotonicNs() - startedNs_) / 1e9;
    const double left = plan.limitSeconds - passed;
    const double beside = (passed - windows_) / done;
    const double each = left / (static_cast<double>(progress_.all) - done + 1) - beside;
    return std::clamp(each, std::min(kShortest, plan.seconds), plan.seconds);
  }

  // By the plan at first, and then by how long samples really take.
  double secondsLeft() const {
    const double planned = expectedSeconds(outcome_.plan) / static_cast<double>(progress_.all);
    const auto done = static_cast<double>(progress_.done);
    const double passed = static_cast<double>(monotonicNs() - startedNs_) / 1e9;
    const double each = done < 5 ? planned : passed / done;
    return each * (static_cast<double>(progress_.all) - done);
  }

  Outcome outcome_;
  const Tell& tell_;
  std::mt19937_64 random_;
  Progress progress_;
  double windows_ = 0;  // Seconds of measured windows so far.
  const std::int64_t startedNs_ = monotonicNs();
};

}  // namespace

double offeredRate(const Cell& cell, const std::vector<CellResult>& cells) {
  if (!cell.open()) return 0;
  const Cell closed = cell.closed();
  const auto found = std::find_if(cells.begin(), cells.end(), [&closed](const CellResult& each) {
    return each.cell == closed;
  });
  if (found == cells.end()) return 0;
  const double own = leastCapacity(*found, true);
  return cell.load * (own > 0 ? own : leastCapacity(*found, false));
}

Outcome carryOut(const Plan& plan, const Tell& tell) { return Campaign(plan, tell).run(); }

}  // namespace penstock::compare
