#include <penstock/bench/compare/report/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace penstock::compare {
namespace {

std::string printed(const char* form, double value) {
  char text[64];
  std::snprintf(text, sizeof text, form, value);
  return text;
}

std::string threeDigits(double value) {
  const double size = std::abs(value);
  if (size >= 99.95) return printed("%.0f", value);
  if (size >= 9.995) return printed("%.1f", value);
  if (size >= 0.9995 || size == 0) return printed("%.2f", value);
  if (size >= 0.09995) return printed("%.3f", value);
  return size >= 0.009995 ? printed("%.4f", value) : printed("%.2g", value);
}

}  // namespace

std::string figure(double value) {
  constexpr double kMillion = 1e6;
  constexpr double kTenThousand = 1e4;
  if (std::abs(value) >= kMillion) return threeDigits(value / kMillion) + " M";
  if (std::abs(value) >= kTenThousand) return threeDigits(value / 1000) + " k";
  return threeDigits(value);
}

std::string figure(const Estimate& estimate) {
  return figure(estimate.median) + " [" + figure(estimate.interval.low) + ", " +
         figure(estimate.interval.high) + ']';
}

std::string medianOf(const SeriesSummary& series, const std::string& metric,
                     const std::string& otherwise) {
  const Estimate* estimate = series.find(metric);
  return estimate == nullptr ? otherwise : figure(estimate->median);
}

std::string times(double ratio) { return printed("%.2fx", ratio); }

std::string ratioText(const Comparison& comparison) {
  const Interval& interval = comparison.ratio().interval;
  return printed("%.3f", comparison.ratio().median) + printed(" [%.3f", interval.low) +
         printed(", %.3f]", interval.high);
}

std::string shortText(const Comparison& comparison) {
  return (comparison.differs() ? "" : "~") + printed("%.3f", comparison.ratio().median);
}

std::string seesText(const Comparison& comparison) {
  if (!comparison.verdict.sees) return "?";
  const double sees = 100 * *comparison.verdict.sees;
  return sees > 100 ? "> 100 %" : printed("%.1f %%", sees);
}

std::string unitOf(const std::string& metric, const Cell& cell) {
  std::string unit(infoOf(metric).unit);
  const auto place = unit.find("{}");
  if (place == unit.npos) return unit;
  const bool many = metric == "rate" && findWorkload(cell.workload)->unit != "MiB";
  return unit.replace(place, 2, findWorkload(cell.workload)->unit + (many ? "s" : ""));
}

std::string titleOf(const std::string& metric, const Cell& cell) {
  const std::string unit = unitOf(metric, cell);
  return std::string(infoOf(metric).title) + (unit.empty() ? "" : " " + unit);
}

std::string meanText(const MeanComparison& mean) {
  std::string text = (mean.comparison.differs() ? "" : "~") + ratioText(mean.comparison);
  if (mean.cells == mean.allCells) return text;
  return text + ' ' + std::to_string(mean.cells) + '/' + std::to_string(mean.allCells);
}

std::vector<std::vector<std::string>> groupRows(const Summary& summary) {
  std::vector<std::string> groups;
  std::vector<std::string> heads{"group"};
  const auto add = [](std::vector<std::string>& to, const std::string& name) {
    if (std::find(to.begin(), to.end(), name) == to.end()) to.push_back(name);
  };
  for (const GroupSummary& each : summary.groups) {
    add(groups, each.group);
    add(heads, each.engine);
  }
  if (groups.empty()) return {};
  std::vector<std::vector<std::string>> rows{heads};
  for (const std::string& group : groups) {
    auto& row = rows.emplace_back(heads.size());
    row.front() = group;
    for (const GroupSummary& each : summary.groups) {
      if (each.group != group) continue;
      const auto column = std::find(heads.begin(), heads.end(), each.engine) - heads.begin();
      row[static_cast<std::size_t>(column)] = meanText(each.mean);
    }
  }
  return rows;
}

const Comparison* comparisonShown(const SeriesSummary& series, const CellSummary& cell,
                                  const std::string& reference) {
  const std::string metric = primaryMetric(cell.cell);
  return series.again ? cell.pair(metric) : cell.compare(series.engine, reference, metric);
}

std::vector<std::string> metricsShown(const Summary& summary) {
  static constexpr std::array kInOrder{
      "cpu_us",     "user_us",      "system_us",   "worker_share",    "rate",
      "p50_us",     "p90_us",       "p99_us",      "p999_us",         "max_us",
      "calls",      "batch",        "events",      "short_writes",    "buffers_exhausted",
      "switches",   "server_core",  "client_core", "queue_overflows", "instructions",
      "cycles",     "resident_mib", "peak_mib",    "socket_mib",      "idle_bytes",
      "used_bytes", "kernel_bytes", "growth_mib",  "backlog_messages"};
  std::vector<std::string> shown;
  for (const char* metric : kInOrder) {
    const bool known =
        std::any_of(summary.cells.begin(), summary.cells.end(), [metric](const CellSummary& cell) {
          return std::any_of(cell.series.begin(), cell.series.end(),
                             [metric](const auto& series) { return series.find(metric); });
        });
    if (known) shown.emplace_back(metric);
  }
  return shown;
}

std::string columnTitle(const std::string& metric) {
  std::string unit(infoOf(metric).unit);
  const auto place = unit.find("{}");
  if (place != unit.npos) unit.replace(place, 2, metric == "rate" ? "units" : "unit");
  return std::string(infoOf(metric).title) + (unit.empty() ? "" : ' ' + unit);
}

std::string text(const std::vector<Mark>& marks) {
  std::string line;
  for (const Mark& mark : marks) {
    if (!line.empty()) line += "; ";
    line += std::string(nameOf(mark.grade)) + ": " + mark.reason;
  }
  return line;
}

std::string status(const SeriesSummary& series, const CellSummary& cell) {
  if (!series.served) return "not served";
  return std::string(nameOf(std::max(series.grade(), worst(cell.marks))));
}

std::string enginesText(const Summary& summary) {
  std::string text;
  for (const EngineSummary& engine : summary.engines) {
    text +=
        (text.empty() ? "" : "; ") + engine.name + ": " + engine.version + ", " + engine.backend;
  }
  return text;
}

std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char each) { return (each & 0xC0) != 0x80; }));
}

}  // namespace penstock::compare
