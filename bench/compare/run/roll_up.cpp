#include <penstock/bench/compare/run/roll_up.h>

#include <algorithm>
#include <iterator>
#include <map>

namespace penstock::compare {
namespace {

struct MarkKind {
  Mark example;           // The first of them; the others differ in their figures.
  std::size_t count = 0;  // Series that have it.
};

// What is wrong in the same way reads the same but for its figures.
std::string nameOfKind(const Mark& mark) {
  std::string name(nameOf(mark.grade));
  std::copy_if(mark.reason.begin(), mark.reason.end(), std::back_inserter(name),
               [](char each) { return each < '0' || each > '9'; });
  return name;
}

std::vector<MarkKind> kindsOf(const std::vector<CellSummary>& cells) {
  std::map<std::string, MarkKind> kinds;
  for (const CellSummary& cell : cells) {
    for (const SeriesSummary& series : cell.series) {
      for (const Mark& mark : series.marks) {
        ++kinds.try_emplace(nameOfKind(mark), MarkKind{mark, 0}).first->second.count;
      }
    }
  }
  std::vector<MarkKind> sorted;
  for (auto& [name, kind] : kinds) sorted.push_back(std::move(kind));
  std::stable_sort(sorted.begin(), sorted.end(), [](const MarkKind& one, const MarkKind& other) {
    return std::pair(one.example.grade, one.count) > std::pair(other.example.grade, other.count);
  });
  return sorted;
}

}  // namespace

std::vector<Mark> rolledUp(const std::vector<CellSummary>& cells) {
  std::size_t results = 0;
  for (const CellSummary& cell : cells) {
    for (const SeriesSummary& series : cell.series) results += series.served;
  }
  std::vector<Mark> marks;
  for (const MarkKind& kind : kindsOf(cells)) {
    marks.push_back({kind.example.grade, std::to_string(kind.count) + " of " +
                                             std::to_string(results) +
                                             " results: " + kind.example.reason});
  }
  return marks;
}

}  // namespace penstock::compare
