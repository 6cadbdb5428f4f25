#include <penstock/bench/compare/report/chart.h>
#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/scale.h>
#include <penstock/bench/compare/report/svg.h>

#include <algorithm>
#include <limits>

namespace penstock::compare {
namespace {

constexpr double kLeft = 48;
constexpr double kRight = 26;
constexpr double kTop = 22;  // The title of the y axis stands above it.
constexpr double kPlotHeight = 190;
constexpr double kBottom = kTop + kPlotHeight;
constexpr double kHeight = kBottom + 38;

struct Range {
  double low = std::numeric_limits<double>::max();
  double high = 0;
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

Scale scaleX(const LineChart& chart) {
  Range range;
  for (const auto& [x, label] : chart.xLabels) range.include(x);
  return {range.low, range.high, kLeft + 8, Svg::kWidth - kRight, chart.logarithmicX};
}

// A linear axis starts at 0, so that a line twice as high is twice as much.
Scale scaleY(const LineChart& chart) {
  Range range;
  for (const auto& line : chart.lines) {
    for (const auto& point : line.points) {
      range.include(point.y.interval.low);
      range.include(point.y.interval.high);
    }
  }
  const double low = chart.logarithmicY ? range.low * 0.8 : 0;
  return {low, range.high * 1.1, kBottom, kTop + 6, chart.logarithmicY};
}

void drawAxes(Svg& svg, const LineChart& chart, const Scale& x, const Scale& y) {
  constexpr int kTicks = 5;
  svg.text(0, 12, chart.yTitle, "axis");
  for (const double tick : y.ticks(kTicks)) {
    svg.line(kLeft, y.at(tick), Svg::kWidth - kRight, y.at(tick), "grid");
    svg.text(kLeft - 6, y.at(tick) + 4, figure(tick), "tick", Svg::Anchor::kEnd);
  }
  svg.line(kLeft, kBottom, Svg::kWidth - kRight, kBottom, "base");
  for (const auto& [at, label] : chart.xLabels) {
    svg.text(x.at(at), kBottom + 16, label, "tick", Svg::Anchor::kMiddle);
  }
  svg.text(Svg::kWidth - kRight, kBottom + 33, chart.xTitle, "axis", Svg::Anchor::kEnd);
}

void drawLine(Svg& svg, const LineChart& chart, const LineChart::Line& line, const Scale& x,
              const Scale& y) {
  const std::string colour = colourClass(line.engine);
  for (std::size_t i = 0; i < line.points.size(); ++i) {
    const auto& point = line.points[i];
    const double at = x.at(point.x);
    svg.line(at, y.at(point.y.interval.low), at, y.at(point.y.interval.high), "range " + colour);
    if (i == 0) continue;
    const auto& before = line.points[i - 1];
    const bool doubtful = point.doubtful || before.doubtful;
    svg.line(x.at(before.x), y.at(before.y.median), at, y.at(point.y.median),
             (doubtful ? "line doubtful " : "line ") + colour);
  }
  for (const auto& point : line.points) {
    svg.dot(x.at(point.x), y.at(point.y.median), 4, (point.doubtful ? "hollow " : "dot ") + colour,
            line.engine + ": " + figure(point.y) + ' ' + chart.yTitle);
  }
}

}  // namespace

std::string draw(const LineChart& chart) {
  Svg svg;
  const Scale x = scaleX(chart);
  const Scale y = scaleY(chart);
  drawAxes(svg, chart, x, y);
  for (const auto& line : chart.lines) drawLine(svg, chart, line, x, y);
  return svg.finish(kHeight, chart.name);
}

}  // namespace penstock::compare
