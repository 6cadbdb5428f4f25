#include <penstock/bench/compare/run/comparisons.h>

#include <array>
#include <cmath>
#include <functional>
#include <iterator>
#include <utility>

namespace penstock::compare {
namespace {

constexpr std::array kCompared{"cpu_us", "rate", "p50_us", "p99_us", "idle_bytes", "peak_mib"};

// What else is compared than engines with the reference: the backends with each other, and each
// with a loop written by hand, which shows what the library costs.
constexpr std::array kPairs{std::pair{"penstock-uring", "penstock-epoll"},
                            std::pair{"penstock-uring", "raw-uring"},
                            std::pair{"penstock-epoll", "raw-epoll"}};

const Rounds* roundsOf(const SeriesSummary* series, const std::string& metric) {
  if (series == nullptr) return nullptr;
  const auto found = series->values.find(metric);
  return found == series->values.end() ? nullptr : &found->second;
}

double scatterIn(const CellSummary& cell, const std::string& metric) {
  std::vector<const Rounds*> rounds;
  for (const SeriesSummary& series : cell.series) {
    const Rounds* found = series.valid() ? roundsOf(&series, metric) : nullptr;
    if (found != nullptr) rounds.push_back(found);
  }
  return scatterOf(rounds).value_or(0);
}

// A cell whose rounds agree by luck is taken to be as noisy as the middle one of the run.
double scatterOfRun(const std::vector<CellSummary>& cells, const std::string& metric) {
  std::vector<double> scatters;
  for (const CellSummary& cell : cells) {
    if (const double scatter = scatterIn(cell, metric); scatter > 0) scatters.push_back(scatter);
  }
  return scatters.empty() ? 0 : median(scatters);
}

Comparison comparisonOf(const SeriesSummary& of, const SeriesSummary& against,
                        const std::string& metric, const Verdict& verdict) {
  const bool capacity = metric == "rate" && (of.clientBusy || against.clientBusy);
  return {of.label(),
          against.label(),
          metric,
          verdict.ratio,
          verdict.noiseFloor,
          verdict.rounds,
          verdict.differ && of.valid() && against.valid() && !capacity};
}

// One cell and one metric.
class Comparer {
 public:
  Comparer(CellSummary& cell, std::string metric, double scatterOfRun, std::uint64_t seed)
      : cell_(cell), metric_(std::move(metric)), seed_(seed) {
    noise_.scatter = std::max(scatterIn(cell, metric_), scatterOfRun);
  }

  // Judged like any other, except that it has no other pair to be held against.
  void comparePair() {
    const SeriesSummary* again = cell_.findAgain();
    const SeriesSummary* first = again == nullptr ? nullptr : cell_.find(again->engine);
    if (first == nullptr) return;
    Noise noise = noise_;
    noise.pair = 0;
    const auto verdict = add(*again, *first, noise);
    if (!verdict || !first->valid() || !again->valid()) return;
    if (verdict->rounds >= kFewestRounds) noise_.pair = std::abs(std::log(verdict->ratio.median));
  }

  void compare(const std::string& of, const std::string& against) {
    const SeriesSummary* one = cell_.find(of);
    const SeriesSummary* other = cell_.find(against);
    if (one == nullptr || other == nullptr || one == other) return;
    if (cell_.compare(of, against, metric_) == nullptr) add(*one, *other, noise_);
  }

 private:
  std::optional<Verdict> add(const SeriesSummary& of, const SeriesSummary& against,
                             const Noise& noise) {
    const Rounds* one = roundsOf(&of, metric_);
    const Rounds* other = roundsOf(&against, metric_);
    if (one == nullptr || other == nullptr) return std::nullopt;
    auto verdict = judge(*one, *other, noise, seed_);
    if (verdict) cell_.comparisons.push_back(comparisonOf(of, against, metric_, *verdict));
    return verdict;
  }

  CellSummary& cell_;
  const std::string metric_;
  const std::uint64_t seed_;
  Noise noise_;
};

// --- Over cells ----------------------------------------------------------------------------------

using Cells = std::vector<const CellSummary*>;
using Find = std::function<const SeriesSummary*(const CellSummary&)>;

Find named(const std::string& engine) {
  return [engine](const CellSummary& cell) { return cell.find(engine); };
}

// What a valid series has of the metric that `cell` is compared by.
const Rounds* validRounds(const CellSummary& cell, const Find& find, const std::string& metric) {
  const SeriesSummary* series = find(cell);
  if (series == nullptr || !series->valid()) return nullptr;
  return roundsOf(series, metric.empty() ? primaryMetric(cell.cell) : metric);
}

// The geometric means over all `cells`, of the rounds that all have; none if a cell has nothing.
Rounds meansOf(const Cells& cells, const std::string& metric, const Find& find) {
  std::map<std::size_t, std::vector<double>> byRound;
  for (const CellSummary* cell : cells) {
    const Rounds* rounds = validRounds(*cell, find, metric);
    if (rounds == nullptr) return {};
    for (const auto& [round, value] : *rounds) {
      if (value > 0) byRound[round].push_back(value);
    }
  }
  Rounds means;
  for (const auto& [round, values] : byRound) {
    if (values.size() == cells.size()) means[round] = geometricMean(values);
  }
  return means;
}

Noise noiseOver(const Cells& cells, const std::string& metric, std::uint64_t seed) {
  const Rounds again = meansOf(cells, metric, [](const auto& cell) { return cell.findAgain(); });
  const Rounds first = meansOf(cells, metric, [](const auto& cell) {
    const SeriesSummary* half = cell.findAgain();
    return half == nullptr ? nullptr : cell.find(half->engine);
  });
  Noise noise{scatterOf({&again, &first}).value_or(0), std::nullopt};
  const auto pair = judge(again, first, {noise.scatter, 0}, seed);
  if (pair && pair->rounds >= kFewestRounds) noise.pair = std::abs(std::log(pair->ratio.median));
  return noise;
}

}  // namespace

void compareCells(Summary& summary, std::uint64_t seed) {
  for (const char* metric : kCompared) {
    const double scatter = scatterOfRun(summary.cells, metric);
    for (CellSummary& cell : summary.cells) {
      Comparer comparer(cell, metric, scatter, seed);
      comparer.comparePair();
      for (const SeriesSummary& series : cell.series) {
        if (!series.again) comparer.compare(series.engine, summary.reference);
      }
      for (const auto& [of, against] : kPairs) comparer.compare(of, against);
    }
  }
}

MeanComparison compareOver(const Cells& cells, const std::string& of, const std::string& against,
                           const std::string& metric, std::uint64_t seed) {
  const Find one = named(of);
  const Find other = named(against);
  Cells usable;
  std::copy_if(cells.begin(), cells.end(), std::back_inserter(usable), [&](const auto* cell) {
    return validRounds(*cell, one, metric) && validRounds(*cell, other, metric);
  });
  MeanComparison mean{{of, against, metric, {}, 0, 0, false}, 0, cells.size()};
  const auto verdict = judge(meansOf(usable, metric, one), meansOf(usable, metric, other),
                             noiseOver(usable, metric, seed), seed);
  if (!verdict) return mean;
  mean.cells = usable.size();
  mean.comparison = {
      of, against, metric, verdict->ratio, verdict->noiseFloor, verdict->rounds, verdict->differ};
  return mean;
}

void compareGroups(const Plan& plan, Summary& summary) {
  std::map<std::string, std::vector<const CellSummary*>> cells;
  std::vector<std::string> groups;
  for (const CellSummary& cell : summary.cells) {
    const std::string& group = cell.cell.group;
    if (group.empty()) continue;
    if (!cells.contains(group)) groups.push_back(group);
    cells[group].push_back(&cell);
  }
  for (const std::string& group : groups) {
    for (const std::string& engine : plan.engines) {
      auto mean = compareOver(cells[group], summary.reference, engine, {}, plan.seed);
      if (mean.cells > 0) summary.groups.push_back({group, engine, std::move(mean)});
    }
  }
}

}  // namespace penstock::compare
