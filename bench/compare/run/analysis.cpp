#include <penstock/bench/compare/run/analysis.h>
#include <penstock/bench/compare/run/comparisons.h>
#include <penstock/bench/compare/run/roll_up.h>
#include <penstock/bench/compare/run/sentences.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace penstock::compare {
namespace {

// Counted once, so there is no interval.
void addSystemCalls(const SystemCalls& calls, SeriesSummary& summary) {
  const auto add = [&summary](const char* metric, double value) {
    summary.metrics[metric] = {value, {value, value}};
  };
  if (calls.whyNot.empty()) add("calls", calls.total());
  if (calls.unitsPerWait() > 0) add("batch", calls.unitsPerWait());
  constexpr double kMiB = 1024.0 * 1024.0;
  if (calls.units > 0) add("socket_mib", calls.socketBytes / kMiB);
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

// What has a figure in each slice has an interval; what is known of the whole alone has none.
void addFigures(const Series& series, const Workload& workload, SeriesSummary& summary) {
  const Sample& sample = series.sample;
  summary.served = !sample.notServed;
  if (!sample.fault.empty() || sample.load.slices.empty()) return;
  for (std::size_t round = 0; round < sample.load.slices.size(); ++round) {
    for (const auto& [metric, value] : metricsOf(workload, sample.load.slices[round])) {
      summary.values[metric][round] = value;
    }
  }
  for (const auto& [metric, rounds] : summary.values) {
    std::vector<double> values;
    for (const auto& [round, value] : rounds) values.push_back(value);
    summary.metrics[metric] = estimate(values);
  }
  for (const auto& [metric, value] : metricsOf(workload, sample)) {
    summary.values[metric] = {{0, value}};
    summary.metrics[metric] = {value, {value, value}};
  }
}

SeriesSummary summarise(const Series& series, const CellResult& result, Grade ofRun) {
  SeriesSummary summary;
  summary.engine = series.engine;
  summary.again = series.again;
  summary.ofRun = ofRun;
  addFigures(series, *findWorkload(result.cell.workload), summary);
  addSystemCalls(series.systemCalls, summary);
  summary.clientBusy = clientIsBusy(series, result);
  summary.clientLate = clientIsLate(series, result);
  if (summary.served) summary.marks = marksOf(series, result);
  return summary;
}

CellSummary summarise(const CellResult& result, Grade ofRun) {
  CellSummary cell;
  cell.cell = result.cell;
  cell.description = describe(result.cell);
  cell.ratePerSecond = result.ratePerSecond;
  for (const Series& series : result.series) {
    cell.series.push_back(summarise(series, result, ofRun));
  }
  return cell;
}

// A pair that ought to agree and does not tells of the machine, not of the engine.
void checkPairs(Summary& summary) {
  for (CellSummary& cell : summary.cells) {
    const Comparison* pair = cell.pair(primaryMetric(cell.cell));
    if (pair == nullptr || !pair->differs()) continue;
    char text[128];
    std::snprintf(text, sizeof text,
                  "the A/A pair differs by %.1f %% here: smaller differences mean nothing",
                  std::abs(pair->ratio().median - 1) * 100);
    cell.marks.push_back({Grade::kWarn, text});
  }
}

std::vector<EngineSummary> enginesOf(const Outcome& outcome) {
  std::vector<EngineSummary> engines;
  for (const std::string& name : outcome.plan.engines) {
    EngineSummary engine{name, {}, {}};
    for (const CellResult& result : outcome.cells) {
      for (const Series& series : result.series) {
        const Sample& sample = series.sample;
        if (series.engine != name || sample.load.kernelBackend.empty()) continue;
        engine = {name, sample.version, sample.load.kernelBackend};
      }
    }
    if (!engine.backend.empty()) engines.push_back(std::move(engine));
  }
  return engines;
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

const SeriesSummary* CellSummary::findAgain() const {
  const auto found = std::find_if(series.begin(), series.end(),
                                  [](const SeriesSummary& each) { return each.again; });
  return found == series.end() ? nullptr : &*found;
}

const Comparison* CellSummary::main() const {
  const std::string metric = primaryMetric(cell);
  if (const Comparison* both = compare("penstock-uring", "penstock-epoll", metric)) return both;
  const auto other =
      std::find_if(comparisons.begin(), comparisons.end(), [&](const Comparison& each) {
        return each.metric == metric && !each.of.ends_with(" (again)");
      });
  return other == comparisons.end() ? pair(metric) : &*other;
}

const Comparison* CellSummary::pair(const std::string& metric) const {
  const SeriesSummary* again = findAgain();
  return again == nullptr ? nullptr : compare(again->label(), again->engine, metric);
}

const Comparison* CellSummary::compare(const std::string& of, const std::string& against,
                                       const std::string& metric) const {
  const auto found = std::find_if(comparisons.begin(), comparisons.end(), [&](const auto& each) {
    return each.of == of && each.against == against && each.metric == metric;
  });
  return found == comparisons.end() ? nullptr : &*found;
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
  summary.engines = enginesOf(outcome);
  summary.marks = environmentMarks;
  summary.notes = outcome.notes;
  if (!outcome.complete) {
    summary.marks.push_back({Grade::kWarn, "interrupted: some rounds are missing"});
  }
  for (const CellResult& result : outcome.cells) {
    summary.cells.push_back(summarise(result, worst(environmentMarks)));
  }
  compareCells(summary);
  checkPairs(summary);
  compareGroups(outcome.plan, summary);
  const auto counted = rolledUp(summary.cells);
  summary.marks.insert(summary.marks.end(), counted.begin(), counted.end());
  summary.sentences = sentencesOf(summary);
  return summary;
}

}  // namespace penstock::compare
