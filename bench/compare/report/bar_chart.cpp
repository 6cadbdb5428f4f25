#include <penstock/bench/compare/report/chart.h>
#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/scale.h>
#include <penstock/bench/compare/report/svg.h>

#include <algorithm>

namespace penstock::compare {
namespace {

constexpr double kLabelHeight = 20;
constexpr double kBarHeight = 14;
constexpr double kBarStep = 18;
constexpr double kGroupGap = 10;
constexpr double kFigureRoom = 78;  // To the right of the longest bar, for its figure.

double largestOf(const BarChart& chart) {
  double largest = 0;
  for (const auto& group : chart.groups) {
    for (const auto& bar : group.bars) largest = std::max(largest, bar.value.interval.high);
  }
  return largest;
}

std::string hintOf(const BarChart& chart, const BarChart::Bar& bar) {
  return bar.engine + ": " + figure(bar.value) + ' ' + chart.unit;
}

void drawInterval(Svg& svg, const Scale& x, const Interval& interval, double middle) {
  constexpr double kCap = 3;
  const double low = x.at(interval.low);
  const double high = x.at(interval.high);
  if (high - low < 1) return;
  svg.line(low, middle, high, middle, "whisker");
  svg.line(low, middle - kCap, low, middle + kCap, "whisker");
  svg.line(high, middle - kCap, high, middle + kCap, "whisker");
}

void drawBar(Svg& svg, const BarChart& chart, const BarChart::Bar& bar, const Scale& x, double y) {
  constexpr double kGap = 6;
  const double baseline = y + kBarHeight - 3;
  if (!bar.note.empty()) {
    return svg.text(kGap, baseline, bar.engine + ": " + bar.note, "muted");
  }
  const double end = std::max(x.at(bar.value.median), 2.0);
  const std::string classes = (bar.doubtful ? "outline " : "fill ") + colourClass(bar.engine);
  svg.bar(0, y, end, kBarHeight, classes, hintOf(chart, bar));
  drawInterval(svg, x, bar.value.interval, y + kBarHeight / 2);
  const double after = std::max(end, x.at(bar.value.interval.high)) + kGap;
  svg.text(after, baseline, figure(bar.value.median), "figure");
}

}  // namespace

std::string draw(const BarChart& chart) {
  Svg svg;
  const Scale x(0, largestOf(chart), 0, Svg::kWidth - kFigureRoom, false);
  double y = 0;
  for (const auto& group : chart.groups) {
    svg.text(0, y + kLabelHeight - 6, group.label, "label");
    y += kLabelHeight;
    for (const auto& bar : group.bars) {
      drawBar(svg, chart, bar, x, y);
      y += kBarStep;
    }
    y += kGroupGap;
  }
  return svg.finish(y, chart.name);
}

std::string colourClass(const std::string& engine) {
  std::string name = "e-";
  for (const char letter : engine) name += letter == ' ' ? '-' : letter;
  return name;
}

}  // namespace penstock::compare
