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
  return printed("%.2f", value);
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

std::string ratioText(const Comparison& comparison) {
  return (comparison.claimed ? "" : "~") + printed("%.2fx", comparison.ratio.median);
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
      row[static_cast<std::size_t>(column)] = printed("%.2fx", each.capacity);
    }
  }
  return rows;
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
  return std::string(nameOf(std::max(worst(series.marks), worst(cell.marks))));
}

std::string noiseText(const Summary& summary) {
  const bool known =
      std::any_of(summary.cells.begin(), summary.cells.end(),
                  [](const CellSummary& cell) { return cell.pairRatio.has_value(); });
  if (!known) return "Noise floor: not known, no A/A pair is valid.";
  return "Noise floor (A/A pairs): " + figure(summary.noiseFloor * 100) + " %.";
}

std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char each) { return (each & 0xC0) != 0x80; }));
}

}  // namespace penstock::compare
