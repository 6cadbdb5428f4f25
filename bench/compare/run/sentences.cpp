#include <penstock/bench/compare/run/analysis.h>
#include <penstock/bench/compare/run/sentences.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace penstock::compare {
namespace {

using Words = std::vector<std::string>;

std::string joined(const Words& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  return text;
}

std::string times(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2fx", ratio);
  return text;
}

// "io_uring" for penstock-uring, as this is about the backends; others keep their name.
std::string spoken(const std::string& engine) {
  if (engine == "penstock-uring") return "io_uring";
  if (engine == "penstock-epoll") return "epoll";
  return engine;
}

// What the sentences of a cell are about: under a given load, the latency; else the workload's own.
std::string metricOf(const Cell& cell) { return cell.open() ? "p99_us" : primaryMetric(cell); }

std::string nounOf(const std::string& metric) {
  if (metric == "p99_us") return "p99 latency";
  if (metric == "p50_us") return "p50 latency";
  if (metric == "idle_bytes") return "memory per idle connection";
  return "CPU";
}

// What can be said of one engine against another in one workload.
struct Findings {
  std::vector<std::pair<double, std::string>> differences;
  Words same;
  Words unusable;

  bool empty() const { return differences.empty() && same.empty() && unusable.empty(); }
};

Findings findingsOf(const std::vector<CellSummary>& cells, const std::string& workload,
                    const std::string& metric, const std::string& of, const std::string& against) {
  Findings findings;
  for (const CellSummary& cell : cells) {
    if (cell.cell.workload != workload || metricOf(cell.cell) != metric) continue;
    const SeriesSummary* one = cell.find(of);
    const SeriesSummary* other = cell.find(against);
    if (one == nullptr || other == nullptr || !one->served || !other->served) continue;
    const Comparison* comparison = cell.compare(of, against, metric);
    if (comparison == nullptr || !one->valid() || !other->valid()) {
      findings.unusable.push_back(cell.description);
    } else if (comparison->claimed) {
      findings.differences.emplace_back(comparison->ratio.median, cell.description);
    } else {
      findings.same.push_back(cell.description);
    }
  }
  std::sort(findings.differences.begin(), findings.differences.end());
  return findings;
}

std::string differencesOf(const Findings& findings, const std::string& metric,
                          const std::string& of, const std::string& against) {
  Words parts;
  for (const auto& [ratio, where] : findings.differences) {
    const bool first = parts.empty();
    parts.push_back(times(ratio) +
                    (first ? " the " + nounOf(metric) + " of " + spoken(against) : "") + " for " +
                    where);
  }
  return "on this machine " + spoken(of) + " needs " + joined(parts);
}

std::string sentenceOf(const Findings& findings, const std::string& workload,
                       const std::string& metric, const std::string& of,
                       const std::string& against) {
  Words parts;
  if (!findings.differences.empty()) {
    parts.push_back(differencesOf(findings, metric, of, against));
  }
  if (!findings.same.empty()) {
    const std::string whose = parts.empty() ? " in " + nounOf(metric) + " between " + spoken(of) +
                                                  " and " + spoken(against)
                                            : "";
    parts.push_back("no difference" + whose + " for " + joined(findings.same));
  }
  if (!findings.unusable.empty()) {
    const std::string what = parts.empty() ? " of " + nounOf(metric) : "";
    parts.push_back("no valid figures" + what + " for " + joined(findings.unusable));
  }
  std::string text = workload + ": ";
  for (std::size_t i = 0; i < parts.size(); ++i) text += (i > 0 ? "; " : "") + parts[i];
  return text + '.';
}

// The other engines in one sentence: the mean over the workload's saturated cells.
std::string othersOf(const Summary& summary, const std::string& workload, const Plan& plan) {
  const std::string metric = findWorkload(workload)->primary;
  Words parts;
  for (const std::string& engine : plan.engines) {
    if (engine == summary.reference || engine.starts_with("penstock-")) continue;
    std::vector<double> ratios;
    for (const CellSummary& cell : summary.cells) {
      if (cell.cell.workload != workload || cell.cell.open()) continue;
      const SeriesSummary* one = cell.find(engine);
      const Comparison* comparison = cell.compare(engine, summary.reference, metric);
      const bool usable = one != nullptr && one->valid() && comparison != nullptr &&
                          cell.find(summary.reference)->valid();
      if (usable && comparison->ratio.median > 0) ratios.push_back(comparison->ratio.median);
    }
    if (!ratios.empty()) parts.push_back(engine + ' ' + times(geometricMean(ratios)));
  }
  if (parts.empty()) return {};
  return workload + ": " + nounOf(metric) + " beside " + summary.reference +
         ", mean of the saturated cells: " + joined(parts) + '.';
}

}  // namespace

std::string describe(const Cell& cell) {
  std::string text = findWorkload(cell.workload)->describe(cell);
  if (cell.open()) text += " under " + std::to_string(std::lround(cell.load * 100)) + " % load";
  return text;
}

std::vector<std::string> sentencesOf(const Summary& summary, const Plan& plan) {
  std::vector<std::string> sentences;
  for (const Workload& workload : workloads()) {
    for (const std::string& metric :
         {workload.primary, std::string("p50_us"), std::string("p99_us")}) {
      const auto findings =
          findingsOf(summary.cells, workload.name, metric, "penstock-uring", "penstock-epoll");
      if (findings.empty()) continue;
      sentences.push_back(
          sentenceOf(findings, workload.name, metric, "penstock-uring", "penstock-epoll"));
    }
    const std::string others = othersOf(summary, workload.name, plan);
    if (!others.empty()) sentences.push_back(others);
  }
  return sentences;
}

}  // namespace penstock::compare
