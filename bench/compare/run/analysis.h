// Analysis: what an outcome says, how sure it is, and what is wrong with it.
#pragma once

#include <penstock/bench/compare/run/campaign.h>
#include <penstock/bench/compare/run/gates.h>
#include <penstock/bench/compare/run/judgement.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace penstock::compare {

// One engine at one cell, summed up.
struct SeriesSummary {
  std::string engine;
  bool again = false;
  bool served = true;                    // False: the engine has no such workload.
  std::map<std::string, Rounds> values;  // By metric; of good repetitions.
  std::map<std::string, Estimate> metrics;
  std::vector<Mark> marks;
  Grade ofRun = Grade::kOk;  // Of the machine and the build: no series is better than that.
  bool clientBusy = false;   // See clientIsBusy().

  Grade grade() const noexcept { return std::max(worst(marks), ofRun); }
  bool valid() const { return served && !values.empty() && grade() != Grade::kInvalid; }
  const Estimate* find(const std::string& metric) const;
  std::string label() const { return again ? engine + " (again)" : engine; }
};

// One metric of one engine against another's at the same cell: `ratio` is of / against. The names
// are labels: "penstock-epoll (again)" against "penstock-epoll" is the A/A pair.
struct Comparison {
  std::string of;
  std::string against;
  std::string metric;
  Estimate ratio;          // Of the rounds, paired.
  double noiseFloor = 0;   // Ratios nearer to 1 than this are not told apart from noise.
  std::size_t rounds = 0;  // That both have.
  bool claimed = false;    // See Verdict::differ; and both are valid.
};

struct CellSummary {
  Cell cell;
  std::string description;  // "64 B at 50 connections"
  double ratePerSecond = 0;
  std::vector<SeriesSummary> series;
  // Of each engine against the reference, of io_uring against epoll, of the library against loops
  // written by hand, and of the A/A pair, by metric.
  std::vector<Comparison> comparisons;
  std::vector<Mark> marks;

  const SeriesSummary* find(const std::string& engine) const;
  const SeriesSummary* findAgain() const;
  const Comparison* compare(const std::string& of, const std::string& against,
                            const std::string& metric) const;
  // The A/A pair's, if both halves have the metric.
  const Comparison* pair(const std::string& metric) const;
};

// Cells together as one figure: the geometric mean of each round.
struct MeanComparison {
  Comparison comparison;
  std::size_t cells = 0;     // That both could be compared in.
  std::size_t allCells = 0;  // That there are.
};

// Of cells of one group: reference / engine, so that above 1 the engine needs less.
struct GroupSummary {
  std::string group;
  std::string engine;
  MeanComparison mean;
};

// What a server said of itself, and what it was seen to use.
struct EngineSummary {
  std::string name;
  std::string version;
  std::string backend;
};

struct Summary {
  std::string reference;  // The engine that others are compared with.
  std::vector<EngineSummary> engines;
  std::vector<CellSummary> cells;
  std::vector<GroupSummary> groups;
  std::vector<Mark> marks;             // Of the run as a whole, and how many cells have which.
  std::vector<std::string> notes;      // What was not measured, and why.
  std::vector<std::string> sentences;  // One or more a workload, for people.
};

// The same outcome and seed give the same summary.
Summary analyse(const Outcome& outcome, const std::vector<Mark>& environmentMarks);

// "penstock-epoll" where it took part, else "raw-epoll", else the first.
std::string referenceOf(const Plan& plan);

// What `cell` is judged by in the sentences: under a given load the p99 latency, else its own
// metric.
std::string judgedMetric(const Cell& cell);

}  // namespace penstock::compare
