#include <penstock/bench/compare/run/comparisons.h>

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <optional>
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

std::optional<Verdict> verdictOf(const Rounds* one, const Rounds* other, const std::string& metric,
                                 std::optional<double> pair) {
  if (one == nullptr || other == nullptr || one->empty() || other->empty()) return std::nullopt;
  if (!isMemory(metric)) return judge(*one, *other, pair);
  const double first = one->begin()->second;
  const double second = other->begin()->second;
  if (first <= 0 || second <= 0) return std::nullopt;
  return judgeOnce(first, second, pair);
}

// One cell and one metric.
class Comparer {
 public:
  Comparer(CellSummary& cell, std::string metric) : cell_(cell), metric_(std::move(metric)) {}

  // Judged like any other, except that it has no other pair to be held against.
  void comparePair() {
    const SeriesSummary* again = cell_.findAgain();
    const SeriesSummary* first = again == nullptr ? nullptr : cell_.find(again->engine);
    if (first == nullptr) return;
    const auto verdict = add(*again, *first);
    if (verdict && first->valid() && again->valid()) pair_ = verdict->ratio.median;
  }

  void compare(const std::string& of, const std::string& against) {
    const SeriesSummary* one = cell_.find(of);
    const SeriesSummary* other = cell_.find(against);
    if (one == nullptr || other == nullptr || one == other) return;
    if (cell_.compare(of, against, metric_) == nullptr) add(*one, *other);
  }

 private:
  std::optional<Verdict> add(const SeriesSummary& of, const SeriesSummary& against) {
    const auto verdict =
        verdictOf(roundsOf(&of, metric_), roundsOf(&against, metric_), metric_, pair_);
    if (!verdict) return verdict;
    cell_.comparisons.push_back(
        {of.label(), against.label(), metric_, *verdict, isServers(of) && isServers(against)});
    return verdict;
  }

  // What the client was the limit of is not the server's.
  bool isServers(const SeriesSummary& series) const {
    if (metric_ == "rate" && series.clientBusy) return false;
    if ((metric_ == "p50_us" || metric_ == "p99_us") && series.clientLate) return false;
    return series.valid();
  }

  CellSummary& cell_;
  const std::string metric_;
  std::optional<double> pair_;
};

// --- Over cells ----------------------------------------------------------------------------------

using Cells = std::vector<const CellSummary*>;
using Find = std::function<const SeriesSummary*(const CellSummary&)>;

Find named(const std::string& engine) {
  return [engine](const CellSummary& cell) { return cell.find(engine); };
}

// What a valid series has of the metric that `cell` is compared by.
const Rounds* validRounds(const CellSummary& cell, const Find& find) {
  const SeriesSummary* series = find(cell);
  if (series == nullptr || !series->valid()) return nullptr;
  return roundsOf(series, primaryMetric(cell.cell));
}

// The geometric means over all `cells`, of the rounds that all have; none if a cell has nothing.
Rounds meansOf(const Cells& cells, const Find& find) {
  std::map<std::size_t, std::vector<double>> byRound;
  for (const CellSummary* cell : cells) {
    const Rounds* rounds = validRounds(*cell, find);
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

std::optional<double> pairOver(const Cells& cells) {
  const Rounds again = meansOf(cells, [](const auto& cell) { return cell.findAgain(); });
  const Rounds first = meansOf(cells, [](const auto& cell) {
    const SeriesSummary* half = cell.findAgain();
    return half == nullptr ? nullptr : cell.find(half->engine);
  });
  const auto pair = judge(again, first, std::nullopt);
  if (!pair) return std::nullopt;
  return pair->ratio.median;
}

// One engine against another over cells together, each by its own metric. Cells in which either is
// missing or not valid are left out, and counted.
MeanComparison compareOver(const Cells& cells, const std::string& of, const std::string& against) {
  const Find one = named(of);
  const Find other = named(against);
  Cells usable;
  std::copy_if(cells.begin(), cells.end(), std::back_inserter(usable), [&](const auto* cell) {
    return validRounds(*cell, one) && validRounds(*cell, other);
  });
  MeanComparison mean{{of, against, {}, {}, true}, 0, cells.size()};
  if (usable.empty()) return mean;
  const Rounds first = meansOf(usable, one);
  const Rounds second = meansOf(usable, other);
  const std::string judged = primaryMetric(usable.front()->cell);
  const auto verdict = verdictOf(&first, &second, judged, pairOver(usable));
  if (!verdict) return mean;
  mean.cells = usable.size();
  mean.comparison.verdict = *verdict;
  return mean;
}

}  // namespace

void compareCells(Summary& summary) {
  for (const char* metric : kCompared) {
    for (CellSummary& cell : summary.cells) {
      Comparer comparer(cell, metric);
      comparer.comparePair();
      for (const SeriesSummary& series : cell.series) {
        if (!series.again) comparer.compare(series.engine, summary.reference);
      }
      for (const auto& [of, against] : kPairs) comparer.compare(of, against);
    }
  }
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
      auto mean = compareOver(cells[group], summary.reference, engine);
      if (mean.cells > 0) summary.groups.push_back({group, engine, std::move(mean)});
    }
  }
}

}  // namespace penstock::compare
