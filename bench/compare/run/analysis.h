// Analysis: what an outcome says, how sure it is, and what is wrong with it.
#pragma once

#include <penstock/bench/compare/run/campaign.h>
#include <penstock/bench/compare/run/gates.h>
#include <penstock/bench/compare/run/statistics.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace penstock::compare {

// One engine at one cell, summed up.
struct SeriesSummary {
  std::string engine;
  bool again = false;
  bool served = true;                                 // False: the engine has no such workload.
  std::map<std::string, std::vector<double>> values;  // By metric, one a good repetition.
  std::map<std::string, Estimate> metrics;
  std::vector<Mark> marks;

  bool valid() const { return served && !values.empty() && worst(marks) != Grade::kInvalid; }
  const Estimate* find(const std::string& metric) const;
  std::string label() const { return again ? engine + " (again)" : engine; }
};

// One metric of one engine against another's at the same cell: `ratio` is of / against.
struct Comparison {
  std::string of;
  std::string against;
  std::string metric;
  Estimate ratio;
  double noiseFloor = 0;  // Ratios nearer to 1 than this are not told apart from noise.
  bool claimed = false;   // The intervals are apart, the floor is exceeded, both are valid.
};

struct CellSummary {
  Cell cell;
  std::string description;  // "64 B at 50 connections"
  double ratePerSecond = 0;
  std::vector<SeriesSummary> series;
  // Of each engine against the reference, and of io_uring against epoll, by metric.
  std::vector<Comparison> comparisons;
  std::vector<Mark> marks;
  std::optional<double> pairRatio;  // The A/A pair's primary metric, second half over first.

  const SeriesSummary* find(const std::string& engine) const;
  const Comparison* compare(const std::string& of, const std::string& against,
                            const std::string& metric) const;
};

// Cells of one group as one figure: the geometric mean of reference / engine of CPU per unit, so
// that above 1 means less CPU than the reference.
struct GroupSummary {
  std::string group;
  std::string engine;
  double capacity = 0;
  std::size_t cells = 0;
};

struct Summary {
  std::string reference;  // The engine that others are compared with.
  double noiseFloor = 0;  // Of the run's primary metrics; each cell's is at least this.
  std::vector<CellSummary> cells;
  std::vector<GroupSummary> groups;
  std::vector<Mark> marks;             // Of the run as a whole.
  std::vector<std::string> notes;      // What was not measured, and why.
  std::vector<std::string> sentences;  // One or more a workload, for people.
};

// The same outcome and seed give the same summary.
Summary analyse(const Outcome& outcome, const std::vector<Mark>& environmentMarks);

// "penstock-epoll" where it took part, else "raw-epoll", else the first.
std::string referenceOf(const Plan& plan);

// Whether `of` differs from `against`: see Comparison::claimed.
Comparison compareSeries(const SeriesSummary& of, const SeriesSummary& against,
                         const std::string& metric, double noiseFloor, std::uint64_t seed);

}  // namespace penstock::compare
