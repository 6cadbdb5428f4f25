#include <penstock/bench/compare/report/chart.h>
#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/scale.h>
#include <penstock/bench/compare/report/svg.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace penstock::compare {
namespace {

constexpr double kHead = 40;
constexpr double kRowHeight = 38;
constexpr double kLabelBase = 13;
constexpr double kMarkAt = 25;       // Below the top of a row.
constexpr double kFigureWidth = 52;  // For the figure at the end of a row.
constexpr double kMargin = 4;

// As far to the left as to the right: half is as far from 1 as double.
double reachOf(const RatioChart& chart) {
  constexpr double kLeast = 0.25;
  double reach = kLeast;
  for (const auto& row : chart.rows) {
    for (const double ratio : {row.ratio.interval.low, row.ratio.interval.high}) {
      if (ratio > 0) reach = std::max(reach, std::abs(std::log(ratio)) * 1.1);
    }
  }
  return std::min(reach, std::log(10.0));
}

std::string ratioLabel(double ratio) {
  char text[32];
  std::snprintf(text, sizeof text, ratio < 0.995 || ratio > 1.005 ? "%.3gx" : "1x", ratio);
  return text;
}

void drawHead(Svg& svg, const RatioChart& chart, const Scale& x, double reach, double bottom) {
  for (const double tick : {0.1, 0.2, 0.33, 0.5, 0.8, 1.0, 1.25, 2.0, 3.0, 5.0, 10.0}) {
    const double distance = std::abs(std::log(tick));
    if (distance > reach || (distance > 0 && distance < reach / 6)) continue;  // Room for "1x".
    svg.line(x.at(tick), kHead - 6, x.at(tick), bottom, tick == 1.0 ? "one" : "grid");
    svg.text(x.at(tick), kHead - 10, ratioLabel(tick), "tick", Svg::Anchor::kMiddle);
  }
  svg.text(kMargin, 11, "◂ " + chart.less, "axis");
  svg.text(Svg::kWidth - kFigureWidth, 11, chart.more + " ▸", "axis", Svg::Anchor::kEnd);
}

void drawRow(Svg& svg, const RatioChart::Row& row, const Scale& x, double y) {
  char text[32];
  std::snprintf(text, sizeof text, "%s%.2fx", row.differs ? "" : "~", row.ratio.median);
  const double unseen = 1 + row.sees;
  const double mark = y + kMarkAt;
  svg.text(kMargin, y + kLabelBase, row.label, "label");
  svg.band(x.at(1 / unseen), mark - 6, x.at(unseen) - x.at(1 / unseen), 12, "noise");
  svg.line(x.at(row.ratio.interval.low), mark, x.at(row.ratio.interval.high), mark,
           row.differs ? "ratio" : "ratio unsure");
  const std::string side = row.ratio.median < 1 ? "less" : "more";
  svg.dot(x.at(row.ratio.median), mark, 5, row.differs ? "claim " + side : "unclaimed",
          row.label + ": " + figure(row.ratio) + ", " + row.words);
  svg.text(Svg::kWidth, mark + 4, text, row.differs ? "figure" : "muted", Svg::Anchor::kEnd);
}

}  // namespace

std::string draw(const RatioChart& chart) {
  Svg svg;
  const double reach = reachOf(chart);
  const double bottom = kHead + kRowHeight * static_cast<double>(chart.rows.size());
  const Scale x(std::exp(-reach), std::exp(reach), kMargin + 8, Svg::kWidth - kFigureWidth - 8,
                true);
  drawHead(svg, chart, x, reach, bottom);
  double y = kHead;
  for (const auto& row : chart.rows) {
    drawRow(svg, row, x, y);
    y += kRowHeight;
  }
  return svg.finish(bottom + 4, chart.name);
}

}  // namespace penstock::compare
