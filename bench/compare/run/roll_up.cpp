#include <penstock/bench/compare/run/roll_up.h>

#include <algorithm>
#include <iterator>
#include <map>

namespace penstock::compare {
namespace {

// What is wrong in the same way reads the same but for its figures.
std::string nameOfKind(const Mark& mark) {
  std::string name(nameOf(mark.grade));
  std::copy_if(mark.reason.begin(), mark.reason.end(), std::back_inserter(name),
               [](char each) { return each < '0' || each > '9'; });
  return name;
}

}  // namespace

std::vector<MarkKind> kindsOf(const std::vector<const CellSummary*>& cells) {
  std::map<std::string, MarkKind> kinds;
  for (const CellSummary* cell : cells) {
    for (const SeriesSummary& series : cell->series) {
      for (const Mark& mark : series.marks) {
        MarkKind& kind = kinds.try_emplace(nameOfKind(mark), MarkKind{mark, {}}).first->second;
        kind.where.push_back(series.label());
      }
    }
  }
  std::vector<MarkKind> sorted;
  for (auto& [name, kind] : kinds) sorted.push_back(std::move(kind));
  std::stable_sort(sorted.begin(), sorted.end(), [](const MarkKind& one, const MarkKind& other) {
    return std::pair(one.example.grade, one.where.size()) >
           std::pair(other.example.grade, other.where.size());
  });
  return sorted;
}

std::vector<Mark> rolledUp(const std::vector<CellSummary>& cells) {
  std::vector<const CellSummary*> all;
  std::size_t results = 0;
  for (const CellSummary& cell : cells) {
    all.push_back(&cell);
    for (const SeriesSummary& series : cell.series) results += series.served;
  }
  std::vector<Mark> marks;
  for (const MarkKind& kind : kindsOf(all)) {
    marks.push_back({kind.example.grade, std::to_string(kind.where.size()) + " of " +
                                             std::to_string(results) +
                                             " results: " + kind.example.reason});
  }
  return marks;
}

}  // namespace penstock::compare
