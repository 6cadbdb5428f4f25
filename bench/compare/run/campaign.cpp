#include <penstock/bench/compare/run/campaign.h>
#include <penstock/bench/compare/run/judgement.h>
#include <penstock/bench/compare/run/lateness.h>
#include <penstock/bench/compare/run/process.h>
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
      result.series.push_back({engine, again});
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
  for (const Slice& slice : series.sample.load.slices) {
    const Metrics metrics = metricsOf(workload, slice);
    if (metrics.contains("rate")) rates.push_back(metrics.at("rate"));
  }
  if (rates.empty() || !series.sample.fault.empty()) return std::nullopt;
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
    for (const CellResult& result : outcome_.cells) progress_.all += stepsOf(result);
  }

  Outcome run() {
    visitAll(false);
    visitAll(true);
    noteUncounted();
    outcome_.complete = !interrupted();
    return std::move(outcome_);
  }

 private:
  // Rounds or single samples, and a pass for the system calls of each engine.
  std::size_t stepsOf(const CellResult& result) const {
    const std::size_t series = result.series.size();
    return (takesTurns(result.cell) ? outcome_.plan.rounds : series) + series;
  }

  void visitAll(bool open) {
    for (const std::size_t at : shuffled(outcome_.cells.size(), random_)) {
      CellResult& result = outcome_.cells[at];
      if (result.cell.open() != open || interrupted()) continue;
      if (open) settleRate(result);
      visit(result);
      countCalls(result);
    }
  }

  // What the load generator cannot start in time is not asked for: its lateness would be taken for
  // the server's.
  void settleRate(CellResult& result) {
    constexpr int kTries = 5;
    constexpr double kLess = 0.85;
    result.ratePerSecond = result.wantedRate = offeredRate(result.cell, outcome_.cells);
    if (result.wantedRate <= 0 || result.series.empty()) return;
    for (int i = 0; i < kTries && !interrupted(); ++i) {
      SampleRequest request = requestOf(result, {&result.series.front()});
      request.rounds = 3;
      if (!isOvercharged(takeSamples(request).front().load)) return;
      result.ratePerSecond *= kLess;
    }
  }

  void visit(CellResult& result) {
    std::vector<Series*> all;
    for (Series& series : result.series) all.push_back(&series);
    if (all.empty() || (result.cell.open() && result.ratePerSecond <= 0)) return;
    if (takesTurns(result.cell)) return sit(result, all);
    for (Series* series : all) {
      if (!interrupted()) take(result, {series}, 1);
    }
  }

  // New servers and connections in each sitting: some are luckier than others with where their
  // memory lies and how large the kernel lets their buffers grow. Nor is any always started first.
  void sit(CellResult& result, std::vector<Series*> together) {
    const unsigned rounds = outcome_.plan.rounds;
    for (unsigned i = 0; i < kSittings && !interrupted(); ++i) {
      std::shuffle(together.begin(), together.end(), random_);
      const unsigned turns = rounds * (i + 1) / kSittings - rounds * i / kSittings;
      if (turns > 0) take(result, together, turns);
    }
  }

  // What was cut off before it began is no fault of the server.
  void take(CellResult& result, const std::vector<Series*>& together, unsigned rounds) {
    announce(result, together.size() == 1 ? together.front()->engine : "");
    SampleRequest request = requestOf(result, together);
    request.rounds = rounds;
    request.seed = random_();
    const auto samples = takeSamples(request, [&] {
      ++progress_.done;
      announce(result, "");
    });
    for (std::size_t i = 0; i < samples.size(); ++i) {
      if (interrupted() && samples[i].load.slices.empty()) continue;
      together[i]->sample.add(samples[i]);
    }
  }

  // One pass is enough: the counts hardly vary.
  void countCalls(CellResult& result) {
    for (Series& series : result.series) {
      ++progress_.done;
      if (interrupted() || series.again || series.sample.notServed) continue;
      announce(result, series.engine);
      series.systemCalls = countSystemCalls(requestOf(result, {&series}));
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

  SampleRequest requestOf(const CellResult& result, const std::vector<Series*>& together) const {
    const Plan& plan = outcome_.plan;
    SampleRequest request;
    request.cell = result.cell;
    for (const Series* series : together) request.engines.push_back(findEngine(series->engine));
    request.ratePerSecond = result.ratePerSecond;
    request.seconds = sliceSeconds(plan, result.cell);
    request.seed = plan.seed;
    request.cores = plan.cores;
    return request;
  }

  void announce(const CellResult& result, const std::string& engine) {
    progress_.now = nameOf(result.cell) + (engine.empty() ? "" : ' ' + engine);
    progress_.secondsLeft = secondsLeft();
    tell_(progress_);
  }

  // By the plan at first, and then by how long it really takes.
  double secondsLeft() const {
    const double planned = expectedSeconds(outcome_.plan) / static_cast<double>(progress_.all);
    const auto done = static_cast<double>(progress_.done);
    const double passed = static_cast<double>(monotonicNs() - startedNs_) / 1e9;
    const double each = done < 50 ? planned : passed / done;
    return each * std::max(0.0, static_cast<double>(progress_.all) - done);
  }

  Outcome outcome_;
  const Tell& tell_;
  std::mt19937_64 random_;
  Progress progress_;
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
