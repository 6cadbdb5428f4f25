#include <penstock/bench/compare/report/chart.h>
#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/gallery.h>
#include <penstock/bench/compare/report/table.h>
#include <penstock/bench/compare/run/sentences.h>

#include <algorithm>
#include <functional>
#include <map>

namespace penstock::compare {
namespace {

constexpr const char* kUring = "penstock-uring";
constexpr const char* kEpoll = "penstock-epoll";
constexpr std::size_t kMostBars = 64;

using Cells = std::vector<const CellSummary*>;

Cells cellsOf(const Summary& summary, const std::string& workload, bool open) {
  Cells cells;
  for (const CellSummary& cell : summary.cells) {
    if (cell.cell.workload == workload && cell.cell.open() == open) cells.push_back(&cell);
  }
  return cells;
}

// Engines that have figures in any of the cells, in the order of the series.
std::vector<std::string> enginesIn(const Cells& cells, const std::string& metric) {
  std::vector<std::string> names;
  for (const CellSummary* cell : cells) {
    for (const SeriesSummary& series : cell->series) {
      const bool known = std::find(names.begin(), names.end(), series.engine) != names.end();
      if (!series.again && !known && series.find(metric) != nullptr) names.push_back(series.engine);
    }
  }
  return names;
}

// --- Ratios --------------------------------------------------------------------------------------

void addRatio(const CellSummary& cell, const std::string& metric, const std::string& label,
              RatioChart& chart) {
  const Comparison* found = cell.compare(kUring, kEpoll, metric);
  if (found == nullptr || found->ratio().median <= 0 || !found->valid) return;
  chart.rows.push_back(
      {label, found->ratio(), found->verdict.sees.value_or(0), found->differs(), wordsOf(*found)});
}

constexpr const char* kHowToRead =
    "Ratio with its 95 % interval, of CPU or of what else is named. Filled marks: told apart. The "
    "grey band is what this run could not "
    "have told apart.";

// The table of cells as a picture.
void addVerdicts(const Summary& summary, std::vector<Picture>& pictures) {
  RatioChart chart{"What io_uring needs of what epoll needs", "io_uring needs less", "more", {}};
  for (const CellSummary& cell : summary.cells) {
    addRatio(cell, primaryMetric(cell.cell), cellTitle(cell), chart);
  }
  if (chart.rows.empty()) return;
  pictures.push_back({chart.name, kHowToRead, {}, draw(chart)});
}

void addLatencies(const Summary& summary, std::vector<Picture>& pictures) {
  RatioChart chart{
      "p99 latency at fixed rates: io_uring / epoll", "io_uring waits less", "more", {}};
  for (const CellSummary& cell : summary.cells) {
    if (cell.cell.open()) addRatio(cell, "p99_us", cellTitle(cell), chart);
  }
  if (chart.rows.empty()) return;
  pictures.push_back({chart.name, kHowToRead, {}, draw(chart)});
}

// --- Bars ----------------------------------------------------------------------------------------

BarChart::Bar barOf(const SeriesSummary& series, const std::string& metric) {
  BarChart::Bar bar{series.engine, {}, !series.valid(), {}};
  const Estimate* estimate = series.find(metric);
  if (estimate != nullptr) bar.value = *estimate;
  if (estimate == nullptr) bar.note = series.served ? "no figure" : "does not do this";
  return bar;
}

void addBars(const Cells& cells, const std::string& metric, std::vector<Picture>& pictures) {
  const auto names = enginesIn(cells, metric);
  if (names.empty() || cells.size() * names.size() > kMostBars) return;
  BarChart chart{std::string(infoOf(metric).title), unitOf(metric, cells.front()->cell), {}};
  for (const CellSummary* cell : cells) {
    BarChart::Group group{cell->description, {}};
    for (const SeriesSummary& series : cell->series) {
      if (!series.again) group.bars.push_back(barOf(series, metric));
    }
    chart.groups.push_back(std::move(group));
  }
  const std::string better = infoOf(metric).moreIsBetter ? "more is better" : "less is better";
  pictures.push_back(
      {chart.name + ", " + chart.unit, better + "; outlines are not valid", names, draw(chart)});
}

// --- Lines ---------------------------------------------------------------------------------------

constexpr const char* kDepth = "messages under way on each connection";

// One parameter of the cells, while the others stay as they are.
struct Axis {
  std::string title;
  std::function<double(const Cell&)> value;
  std::function<std::string(const Cell&)> label;
  std::function<void(Cell&)> forget;  // Sets it to one value, so that the rest can be compared.
};

std::vector<Axis> axes() {
  return {{"connections", [](const Cell& cell) { return double(cell.connections); },
           [](const Cell& cell) { return std::to_string(cell.connections); },
           [](Cell& cell) { cell.connections = 0; }},
          {"message size", [](const Cell& cell) { return double(cell.size); },
           [](const Cell& cell) { return sizeText(cell.size); }, [](Cell& cell) { cell.size = 0; }},
          {kDepth, [](const Cell& cell) { return double(cell.depth); },
           [](const Cell& cell) { return std::to_string(cell.depth); },
           [](Cell& cell) { cell.depth = 0; }},
          {"work for each message, us", [](const Cell& cell) { return double(cell.workUs) + 1; },
           [](const Cell& cell) { return std::to_string(cell.workUs); },
           [](Cell& cell) { cell.workUs = 0; }}};
}

// Cells that differ along `axis` alone, three or more, in its order.
std::vector<Cells> sweeps(const Cells& cells, const Axis& axis) {
  std::map<std::string, Cells> byRest;
  for (const CellSummary* cell : cells) {
    Cell rest = cell->cell;
    axis.forget(rest);
    byRest[nameOf(rest)].push_back(cell);
  }
  std::vector<Cells> found;
  for (auto& [rest, sweep] : byRest) {
    std::sort(sweep.begin(), sweep.end(), [&axis](const auto* one, const auto* other) {
      return axis.value(one->cell) < axis.value(other->cell);
    });
    if (sweep.size() >= 3) found.push_back(std::move(sweep));
  }
  std::stable_sort(found.begin(), found.end(), [](const Cells& one, const Cells& other) {
    return one.front()->cell.size < other.front()->cell.size;
  });
  return found;
}

// What a sweep holds still: "64 B", "64 B, 50 connections, depth 8".
std::string heldStill(const Axis& axis, const Cell& cell) {
  std::string text = cell.variant;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (axis.title != "message size") add(sizeText(cell.size));
  if (axis.title != "connections") add(std::to_string(cell.connections) + " connections");
  if (axis.title != kDepth && cell.depth > 1) add("depth " + std::to_string(cell.depth));
  return text;
}

constexpr const char* kHollow = "Hollow dots and dashes are not valid.";

bool hasDoubtful(const LineChart& chart) {
  return std::any_of(chart.lines.begin(), chart.lines.end(), [](const auto& line) {
    return std::any_of(line.points.begin(), line.points.end(),
                       [](const auto& point) { return point.doubtful; });
  });
}

void addLines(const Cells& sweep, const Axis& axis, const std::string& metric,
              std::vector<Picture>& pictures) {
  const Cell& first = sweep.front()->cell;
  const std::string title =
      std::string(infoOf(metric).title) + " by " + axis.title + " (" + heldStill(axis, first) + ")";
  LineChart chart{title, axis.title, unitOf(metric, first), {}, true, false, {}};
  for (const CellSummary* cell : sweep) {
    chart.xLabels.emplace_back(axis.value(cell->cell), axis.label(cell->cell));
  }
  const auto names = enginesIn(sweep, metric);
  for (const std::string& name : names) {
    LineChart::Line line{name, {}};
    for (const CellSummary* cell : sweep) {
      const SeriesSummary* series = cell->find(name);
      const Estimate* estimate = series == nullptr ? nullptr : series->find(metric);
      if (estimate == nullptr) continue;
      line.points.push_back({axis.value(cell->cell), *estimate, !series->valid()});
    }
    chart.lines.push_back(std::move(line));
  }
  pictures.push_back({title, hasDoubtful(chart) ? kHollow : "", names, draw(chart)});
}

// Where the better backend changes, if it does.
void addCrossover(const Cells& sweep, const Axis& axis, std::vector<Picture>& pictures) {
  const std::string title =
      "Crossover by " + axis.title + " (" + heldStill(axis, sweep.front()->cell) + ")";
  RatioChart chart{title, "io_uring needs less CPU", "more", {}};
  for (const CellSummary* cell : sweep) addRatio(*cell, "cpu_us", axis.label(cell->cell), chart);
  if (chart.rows.size() < 3) return;
  pictures.push_back({title, "CPU of io_uring over CPU of epoll.", {}, draw(chart)});
}

void addSweeps(const Cells& cells, std::vector<Picture>& pictures) {
  for (const Axis& axis : axes()) {
    for (const Cells& sweep : sweeps(cells, axis)) {
      addLines(sweep, axis, "cpu_us", pictures);
      addLines(sweep, axis, "rate", pictures);
      addCrossover(sweep, axis, pictures);
    }
  }
}

void addPercentiles(const CellSummary& cell, std::vector<Picture>& pictures) {
  static const std::vector<std::pair<std::string, std::string>> kPercentiles{{"p50_us", "p50"},
                                                                             {"p90_us", "p90"},
                                                                             {"p99_us", "p99"},
                                                                             {"p999_us", "p99.9"},
                                                                             {"max_us", "max"}};
  const std::string title = "Latency, " + cell.description;
  LineChart chart{title, "percentile", "us (logarithmic)", {}, false, true, {}};
  for (const auto& [metric, label] : kPercentiles) {
    chart.xLabels.emplace_back(static_cast<double>(chart.xLabels.size()), label);
  }
  const auto names = enginesIn({&cell}, "p50_us");
  for (const std::string& name : names) {
    LineChart::Line line{name, {}};
    const bool doubtful = !cell.find(name)->valid();
    for (const auto& [metric, label] : kPercentiles) {
      const Estimate* estimate = cell.find(name)->find(metric);
      if (estimate != nullptr && estimate->interval.low > 0) {
        line.points.push_back({static_cast<double>(line.points.size()), *estimate, doubtful});
      }
    }
    chart.lines.push_back(std::move(line));
  }
  if (names.empty()) return;
  std::string caption = "From the moment each message was to start.";
  if (hasDoubtful(chart)) caption += std::string(" ") + kHollow;
  pictures.push_back({title, caption, names, draw(chart)});
}

}  // namespace

std::vector<Picture> overview(const Summary& summary) {
  std::vector<Picture> pictures;
  addVerdicts(summary, pictures);
  addLatencies(summary, pictures);
  return pictures;
}

std::vector<Picture> picturesOf(const Summary& summary, const std::string& workload) {
  std::vector<Picture> pictures;
  const Cells saturated = cellsOf(summary, workload, false);
  if (saturated.empty()) return pictures;
  const std::string primary = findWorkload(workload)->primary;
  addBars(saturated, primary, pictures);
  if (primary != "cpu_us") addBars(saturated, "used_bytes", pictures);
  if (primary == "cpu_us") addBars(saturated, "rate", pictures);
  if (workload == "relay") addBars(saturated, "peak_mib", pictures);
  addSweeps(saturated, pictures);
  for (const CellSummary* cell : cellsOf(summary, workload, true)) addPercentiles(*cell, pictures);
  return pictures;
}

}  // namespace penstock::compare
