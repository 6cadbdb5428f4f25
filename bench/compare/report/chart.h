// The three kinds of chart of the reports, as drawings.
#pragma once

#include <penstock/bench/compare/run/statistics.h>

#include <string>
#include <vector>

namespace penstock::compare {

// Bars in groups, each with its interval: one figure of several engines at several cells.
struct BarChart {
  struct Bar {
    std::string engine;
    Estimate value;
    bool doubtful = false;  // Drawn as an outline.
    std::string note;       // In place of the figure: why there is none.
  };
  struct Group {
    std::string label;
    std::vector<Bar> bars;
  };
  std::string name;
  std::string unit;
  std::vector<Group> groups;
};

// Lines over an axis of sizes, connections or percentiles.
struct LineChart {
  struct Point {
    double x = 0;
    Estimate y;
    bool doubtful = false;  // Drawn hollow, and dashed on the way there.
  };
  struct Line {
    std::string engine;
    std::vector<Point> points;
  };
  std::string name;
  std::string xTitle;
  std::string yTitle;
  std::vector<std::pair<double, std::string>> xLabels;
  bool logarithmicX = true;
  bool logarithmicY = false;
  std::vector<Line> lines;
};

// Ratios round 1 with their intervals, and how far from 1 one must be to be told apart.
struct RatioChart {
  struct Row {
    std::string label;
    Estimate ratio;
    double sees = 0;  // 0.012 is 1.2 %.
    bool differs = false;
    std::string words{};  // The verdict.
  };
  std::string name;
  std::string less;  // What it means to be left of 1.
  std::string more;
  std::vector<Row> rows;
};

std::string draw(const BarChart& chart);
std::string draw(const LineChart& chart);
std::string draw(const RatioChart& chart);

// The class that gives an engine its colour, the same in every chart.
std::string colourClass(const std::string& engine);

}  // namespace penstock::compare
