#include <penstock/bench/compare/report/format.h>

#include <algorithm>
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

std::string status(const SeriesSummary& series, const CellSummary& cell) {
  if (!series.served) return "not served";
  return std::string(nameOf(std::max(series.grade(), worst(cell.marks))));
}

std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char each) { return (each & 0xC0) != 0x80; }));
}

}  // namespace penstock::compare
