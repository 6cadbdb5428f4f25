#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/self_test_table.h>
#include <penstock/bench/compare/report/text_table.h>

#include <algorithm>
#include <cmath>

namespace penstock::compare {
namespace {

bool isFound(const std::optional<Verdict>& verdict) {
  return verdict && verdict->word == Word::kMore;
}

bool isApart(const std::optional<Verdict>& verdict) {
  return verdict && (verdict->word == Word::kMore || verdict->word == Word::kLess);
}

// Of messages; what streams show varies more.
bool isMessages(const SelfTestCell& cell) {
  return findWorkload(cell.cell.workload)->sendsMessages;
}

std::string textOf(const std::optional<Verdict>& verdict, const char* word) {
  if (!verdict) return "-";
  const Comparison shown{{}, {}, {}, *verdict};
  return ratioText(shown) + word;
}

Row rowOf(const SelfTestCell& cell) {
  const std::string title = cell.cell.workload + ", " + cell.description;
  if (!cell.fault.empty()) return {title, "-", "-", "-", "-", cell.fault};
  return {title,
          textOf(cell.slightly, isFound(cell.slightly) ? " found" : " missed"),
          textOf(cell.clearly, isFound(cell.clearly) ? " found" : " missed"),
          textOf(cell.pair, isApart(cell.pair) ? " apart" : ""),
          cell.pair ? seesText({{}, {}, {}, *cell.pair}) : "?",
          ""};
}

std::string share(const SelfTest& test, bool (*counts)(const SelfTestCell&),
                  bool (*among)(const SelfTestCell&)) {
  const auto all = std::count_if(test.cells.begin(), test.cells.end(), among);
  const auto found =
      std::count_if(test.cells.begin(), test.cells.end(),
                    [&](const SelfTestCell& cell) { return among(cell) && counts(cell); });
  return std::to_string(found) + " of " + std::to_string(all);
}

}  // namespace

std::string textOf(const SelfTest& test) {
  std::vector<Row> rows{
      {"penstock-epoll", "slowed by 3 %", "slowed by 10 %", "not slowed", "sees", ""}};
  for (const SelfTestCell& cell : test.cells) rows.push_back(rowOf(cell));
  const auto any = [](const SelfTestCell&) { return true; };
  const auto slightly = [](const SelfTestCell& cell) { return isFound(cell.slightly); };
  const auto clearly = [](const SelfTestCell& cell) { return isFound(cell.clearly); };
  const auto apart = [](const SelfTestCell& cell) { return isApart(cell.pair); };
  const auto close = [](const SelfTestCell& cell) {
    return cell.pair && std::abs(std::log(cell.pair->ratio.median)) <= std::log(1.02);
  };
  return laidOut(rows, "") + "\nin " + std::to_string(test.rounds) + " rounds 3 % was found in " +
         share(test, slightly, isMessages) + " cells of messages (echo, compute, timers), in " +
         share(test, slightly, any) + " of all\n10 % was found in " + share(test, clearly, any) +
         "\nequal servers were told apart in " + share(test, apart, any) +
         ", and lay within 2 % in " + share(test, close, any) + '\n' +
         (test.complete ? "" : "interrupted: some cells are missing\n");
}

}  // namespace penstock::compare
