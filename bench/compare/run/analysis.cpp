#include <penstock/bench/compare/run/analysis.h>
#include <penstock/bench/compare/run/sentences.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace penstock::compare {
namespace {

// Two runs of one engine that happen to agree do not make a machine free of noise.
constexpr double kLeastNoise = 0.02;

constexpr std::array kCompared{"cpu_us", "rate", "p50_us", "p99_us", "idle_bytes", "peak_mib"};

// Counted once, so there is no interval.
void addSystemCalls(const SystemCalls& calls, SeriesSummary& summary) {
  const auto add = [&summary](const char* metric, double value) {
    summary.metrics[metric] = {value, {value, value}};
  };
  if (calls.whyNot.empty()) add("calls", calls.total());
  if (calls.unitsPerWait() > 0) add("batch", calls.unitsPerWait());
  if (!calls.counts || calls.units <= 0) return;
  const CallCounts& counts = *calls.counts;
  const auto perThousand = [&calls](std::uint64_t count) {
    return 1000 * static_cast<double>(count) / calls.units;
  };
  add("short_writes", perThousand(counts.shortWrites));
  add("buffers_exhausted", perThousand(counts.buffersExhausted));
  add("queue_overflows", perThousand(counts.queueOverflows));
  if (counts.waits > 0) add("events", double(counts.events) / double(counts.waits));
}

SeriesSummary summarise(const Series& series, const CellResult& result, std::uint64_t seed) {
  SeriesSummary summary{series.engine, series.again, true, {}, {}, {}};
  const Workload& workload = *findWorkload(result.cell.workload);
  for (const Sample& sample : series.samples) {
    if (sample.notServed) summary.served = false;
    if (!sample.fault.empty()) continue;
    for (const auto& [metric, value] : metricsOf(workload, sample)) {
      summary.values[metric].push_back(value);
    }
  }
  for (const auto& [metric, values] : summary.values) {
    summary.metrics[metric] = estimate(values, seed);
  }
  addSystemCalls(series.systemCalls, summary);
  if (summary.served) summary.marks = marksOf(series, result);
  return summary;
}

const SeriesSummary* findPair(const CellSummary& cell) {
  const auto found = std::find_if(cell.series.begin(), cell.series.end(),
                                  [](const SeriesSummary& each) { return each.again; });
  return found == cell.series.end() ? nullptr : &*found;
}

// How far the two halves of the A/A pair are apart; none where either is not valid.
std::optional<double> pairRatio(const CellSummary& cell, const std::string& metric) {
  const SeriesSummary* again = findPair(cell);
  const SeriesSummary* first = again == nullptr ? nullptr : cell.find(again->engine);
  if (first == nullptr || !first->valid() || !again->valid()) return std::nullopt;
  const Estimate* above = again->find(metric);
  const Estimate* below = first->find(metric);
  if (above == nullptr || below == nullptr || below->median <= 0) return std::nullopt;
  return above->median / below->median;
}

double distance(double ratio) { return std::abs(std::log(ratio)); }

// The A/A pairs of all cells together: one pair alone can agree by luck.
double noiseOf(const std::vector<CellSummary>& cells, const std::string& metric) {
  constexpr double kMost = 0.9;
  std::vector<double> distances;
  for (const CellSummary& cell : cells) {
    if (const auto ratio = pairRatio(cell, metric)) distances.push_back(distance(*ratio));
  }
  return distances.empty() ? kLeastNoise : std::max(kLeastNoise, quantile(distances, kMost));
}

double noiseOf(const CellSummary& cell, const std::string& metric, double ofRun) {
  const auto own = pairRatio(cell, metric);
  return own ? std::max(ofRun, distance(*own)) : ofRun;
}

void compareCell(CellSummary& cell, const std::string& against, const std::string& metric,
                 double floor, std::uint64_t seed) {
  const SeriesSummary* reference = cell.find(against);
  if (reference == nullptr || reference->find(metric) == nullptr) return;
  for (const SeriesSummary& each : cell.series) {
    const bool done = cell.compare(each.engine, against, metric) != nullptr;
    if (&each == reference || each.again || done || each.find(metric) == nullptr) continue;
    cell.comparisons.push_back(compareSeries(each, *reference, metric, floor, seed));
  }
}

void compareCells(Summary& summary, std::uint64_t seed) {
  for (const char* metric : kCompared) {
    const double ofRun = noiseOf(summary.cells, metric);
    for (CellSummary& cell : summary.cells) {
      const double floor = noiseOf(cell, metric, ofRun);
      for (const std::string& against : {summary.reference, std::string("penstock-epoll")}) {
        compareCell(cell, against, metric, floor, seed);
      }
    }
  }
}

void claimNothing(Summary& summary) {
  for (CellSummary& cell : summary.cells) {
    for (Comparison& comparison : cell.comparisons) comparison.claimed = false;
  }
}

// A pair that ought to agree and does not tells of the machine, not of the engine.
void checkPairs(Summary& summary) {
  for (CellSummary& cell : summary.cells) {
    const std::string metric = primaryMetric(cell.cell);
    cell.pairRatio = pairRatio(cell, metric);
    const SeriesSummary* again = findPair(cell);
    if (!cell.pairRatio || again == nullptr) continue;
    const SeriesSummary* first = cell.find(again->engine);
    if (!apart(first->find(metric)->interval, again->find(metric)->interval)) continue;
    if (distance(*cell.pairRatio) <= kLeastNoise) continue;
    char text[128];
    std::snprintf(text, sizeof text,
                  "the A/A pair differs by %.0f %% here: smaller differences mean nothing",
                  std::abs(*cell.pairRatio - 1) * 100);
    cell.marks.push_back({Grade::kWarn, text});
  }
}

// Reference over engine, cell by cell, where both have the metric.
std::vector<double> capacities(const Summary& summary, const std::string& group,
                               const std::string& engine) {
  std::vector<double> ratios;
  for (const CellSummary& cell : summary.cells) {
    if (cell.cell.group != group) continue;
    const std::string metric = primaryMetric(cell.cell);
    const SeriesSummary* of = cell.find(engine);
    const SeriesSummary* against = cell.find(summary.reference);
    if (of == nullptr || against == nullptr || !of->valid() || !against->valid()) continue;
    const Estimate* below = of->find(metric);
    const Estimate* above = against->find(metric);
    if (below != nullptr && above != nullptr && below->median > 0) {
      ratios.push_back(above->median / below->median);
    }
  }
  return ratios;
}

void addGroups(const Plan& plan, Summary& summary) {
  std::vector<std::string> groups;
  for (const Cell& cell : plan.cells) {
    const bool known = std::find(groups.begin(), groups.end(), cell.group) != groups.end();
    if (!cell.group.empty() && !known) groups.push_back(cell.group);
  }
  for (const std::string& group : groups) {
    for (const std::string& engine : plan.engines) {
      const auto ratios = capacities(summary, group, engine);
      if (ratios.empty()) continue;
      summary.groups.push_back({group, engine, geometricMean(ratios), ratios.size()});
    }
  }
}

}  // namespace

const Estimate* SeriesSummary::find(const std::string& metric) const {
  const auto found = metrics.find(metric);
  return found == metrics.end() ? nullptr : &found->second;
}

const SeriesSummary* CellSummary::find(const std::string& engine) const {
  const auto found = std::find_if(series.begin(), series.end(), [&engine](const auto& each) {
    return each.engine == engine && !each.again;
  });
  return found == series.end() ? nullptr : &*found;
}

const Comparison* CellSummary::compare(const std::string& of, const std::string& against,
                                       const std::string& metric) const {
  const auto found = std::find_if(comparisons.begin(), comparisons.end(), [&](const auto& each) {
    return each.of == of && each.against == against && each.metric == metric;
  });
  return found == comparisons.end() ? nullptr : &*found;
}

Comparison compareSeries(const SeriesSummary& of, const SeriesSummary& against,
                         const std::string& metric, double noiseFloor, std::uint64_t seed) {
  Comparison comparison{of.label(), against.label(), metric, {}, noiseFloor, false};
  comparison.ratio = estimateRatio(of.values.at(metric), against.values.at(metric), seed);
  const bool isApart = apart(of.find(metric)->interval, against.find(metric)->interval);
  comparison.claimed = of.valid() && against.valid() && isApart && comparison.ratio.median > 0 &&
                       distance(comparison.ratio.median) > noiseFloor;
  return comparison;
}

std::string referenceOf(const Plan& plan) {
  const auto has = [&plan](const char* name) {
    return std::find(plan.engines.begin(), plan.engines.end(), name) != plan.engines.end();
  };
  if (plan.profile == "speed" && has("raw-epoll")) return "raw-epoll";
  for (const char* name : {"penstock-epoll", "raw-epoll"}) {
    if (has(name)) return name;
  }
  return plan.engines.front();
}

Summary analyse(const Outcome& outcome, const std::vector<Mark>& environmentMarks) {
  Summary summary;
  summary.reference = referenceOf(outcome.plan);
  summary.marks = environmentMarks;
  summary.notes = outcome.notes;
  if (!outcome.complete) {
    summary.marks.push_back({Grade::kWarn, "interrupted: some repetitions are missing"});
  }
  for (const CellResult& result : outcome.cells) {
    CellSummary& cell = summary.cells.emplace_back();
    cell.cell = result.cell;
    cell.description = describe(result.cell);
    cell.ratePerSecond = result.ratePerSecond;
    for (const Series& series : result.series) {
      cell.series.push_back(summarise(series, result, outcome.plan.seed));
    }
  }
  checkPairs(summary);
  compareCells(summary, outcome.plan.seed);
  if (worst(environmentMarks) == Grade::kInvalid) claimNothing(summary);
  summary.noiseFloor = noiseOf(summary.cells, "cpu_us");
  addGroups(outcome.plan, summary);
  summary.sentences = sentencesOf(summary, outcome.plan);
  return summary;
}

}  // namespace penstock::compare
