#include <penstock/bench/compare/run/analysis.h>
#include <penstock/bench/compare/run/comparisons.h>
#include <penstock/bench/compare/run/sentences.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace penstock::compare {
namespace {

using Words = std::vector<std::string>;

std::string enumerated(const Words& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " and " : ", ";
    text += words[i];
  }
  return text;
}

// A profile has up to thirty cells of a workload; the table has them all.
std::string someOf(Words words) {
  constexpr std::size_t kMost = 6;
  if (words.size() <= kMost) return enumerated(words);
  const std::size_t more = words.size() - kMost + 1;
  words.resize(kMost - 1);
  words.push_back(std::to_string(more) + " more");
  return enumerated(words);
}

std::string times(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2fx", ratio);
  return text;
}

// What is compared with what, and as what: the sentences about the backends call them by the
// kernel's names, those about the library by the engines'.
struct Sides {
  std::string of;
  std::string against;
  std::string ofName;
  std::string againstName;
};

std::string nounOf(const std::string& metric) {
  if (metric == "p99_us") return "p99 latency";
  if (metric == "p50_us") return "p50 latency";
  if (metric == "idle_bytes") return "memory per idle connection";
  return "CPU";
}

std::string verbOf(const std::string& metric) {
  return metric == "p99_us" || metric == "p50_us" ? " has " : " needs ";
}

// What can be said of one engine against another in one workload.
struct Findings {
  std::vector<std::pair<double, std::string>> differences;
  Words same;
  Words unusable;

  bool empty() const { return differences.empty() && same.empty() && unusable.empty(); }
};

Findings findingsOf(const std::vector<CellSummary>& cells, const std::string& workload,
                    const std::string& metric, const Sides& sides) {
  Findings findings;
  for (const CellSummary& cell : cells) {
    if (cell.cell.workload != workload || judgedMetric(cell.cell) != metric) continue;
    const SeriesSummary* one = cell.find(sides.of);
    const SeriesSummary* other = cell.find(sides.against);
    if (one == nullptr || other == nullptr || !one->served || !other->served) continue;
    const Comparison* comparison = cell.compare(sides.of, sides.against, metric);
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

std::string differencesOf(const Findings& findings, const std::string& metric, const Sides& sides) {
  Words parts;
  for (const auto& [ratio, where] : findings.differences) {
    const bool first = parts.empty();
    parts.push_back(times(ratio) +
                    (first ? " the " + nounOf(metric) + " of " + sides.againstName : "") + " for " +
                    where);
  }
  return "on this machine " + sides.ofName + verbOf(metric) + enumerated(parts);
}

std::string sentenceOf(const Findings& findings, const std::string& workload,
                       const std::string& metric, const Sides& sides) {
  Words parts;
  if (!findings.differences.empty()) parts.push_back(differencesOf(findings, metric, sides));
  if (!findings.same.empty()) {
    const std::string whose = parts.empty() ? " in " + nounOf(metric) + " between " + sides.ofName +
                                                  " and " + sides.againstName
                                            : "";
    parts.push_back("no difference" + whose + " for " + someOf(findings.same));
  }
  if (!findings.unusable.empty()) {
    const std::string what = parts.empty() ? " of " + nounOf(metric) + " of " + sides.ofName +
                                                 " and " + sides.againstName
                                           : "";
    parts.push_back("no valid figures" + what + " for " + someOf(findings.unusable));
  }
  std::string text = workload + ": ";
  for (std::size_t i = 0; i < parts.size(); ++i) text += (i > 0 ? "; " : "") + parts[i];
  return text + '.';
}

// "1.04x [1.01, 1.08]", with "~" before it where it is not told apart from noise.
std::string meanText(const MeanComparison& mean) {
  const Estimate& ratio = mean.comparison.ratio;
  char interval[64];
  std::snprintf(interval, sizeof interval, " [%.2f, %.2f]", ratio.interval.low,
                ratio.interval.high);
  std::string text = (mean.comparison.claimed ? "" : "~") + times(ratio.median) + interval;
  if (mean.cells == mean.allCells) return text;
  return text + " (" + std::to_string(mean.cells) + " of " + std::to_string(mean.allCells) +
         " cells)";
}

std::vector<const CellSummary*> saturated(const Summary& summary, const std::string& workload) {
  std::vector<const CellSummary*> cells;
  for (const CellSummary& cell : summary.cells) {
    if (cell.cell.workload == workload && !cell.cell.open()) cells.push_back(&cell);
  }
  return cells;
}

// The other engines in one sentence, over the workload's saturated cells together.
std::string othersOf(const Summary& summary, const std::string& workload, const Plan& plan) {
  const std::string metric = findWorkload(workload)->primary;
  const auto cells = saturated(summary, workload);
  Words parts;
  for (const std::string& engine : plan.engines) {
    if (engine == summary.reference || engine.starts_with("penstock-")) continue;
    const auto mean = compareOver(cells, engine, summary.reference, metric, plan.seed);
    if (mean.cells > 0) parts.push_back(engine + ' ' + meanText(mean));
  }
  if (parts.empty()) return {};
  return workload + ": " + nounOf(metric) + " beside " + summary.reference +
         ", mean of the saturated cells: " + enumerated(parts) + '.';
}

// The backends, and what the library costs beside loops written by hand.
const std::vector<Sides>& allSides() {
  static const std::vector<Sides> all{
      {"penstock-uring", "penstock-epoll", "io_uring", "epoll"},
      {"penstock-uring", "raw-uring", "penstock-uring", "raw-uring"},
      {"penstock-epoll", "raw-epoll", "penstock-epoll", "raw-epoll"},
  };
  return all;
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
    for (const Sides& sides : allSides()) {
      for (const std::string& metric :
           {workload.primary, std::string("p50_us"), std::string("p99_us")}) {
        const auto findings = findingsOf(summary.cells, workload.name, metric, sides);
        if (findings.empty()) continue;
        sentences.push_back(sentenceOf(findings, workload.name, metric, sides));
      }
    }
    const std::string others = othersOf(summary, workload.name, plan);
    if (!others.empty()) sentences.push_back(others);
  }
  return sentences;
}

}  // namespace penstock::compare
