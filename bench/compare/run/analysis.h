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
  std::map<std::string, Rounds> values;  // By metric; of slices, or of the one sample.
  std::map<std::string, Estimate> metrics;
  std::vector<Mark> marks;
  Grade ofRun = Grade::kOk;  // Of the machine and the build: no series is better than that.
  bool clientBusy = false;   // See clientIsBusy().
  bool clientLate = false;   // See clientIsLate().

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
  Verdict verdict;
  bool valid = true;  // Both series are, and it is not the client that is compared.

  const Estimate& ratio() const noexcept { return verdict.ratio; }
  bool differs() const noexcept {
    return valid && (verdict.word == Word::kLess || verdict.word == Word::kMore);
  }
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
  // By the cell's primary metric, of io_uring against epoll, or else of the first two engines that
  // are compared; of the A/A pair if there is no other.
  const Comparison* main() const;
  // The A/A pair's, if both halves have the metric.
  const Comparison* pair(const std::string& metric) const;
};

// Cells together as one figure: the geometric mean of each round.
struct MeanComparison {
  Comparison comparison{};
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
  std::vector<std::string> sentences;  // What it comes to, for people.
};

Summary analyse(const Outcome& outcome, const std::vector<Mark>& environmentMarks);

// "penstock-epoll" where it took part, else "raw-epoll", else the first.
std::string referenceOf(const Plan& plan);

}  // namespace penstock::compare
