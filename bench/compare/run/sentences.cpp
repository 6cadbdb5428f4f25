#include <penstock/bench/compare/run/analysis.h>
#include <penstock/bench/compare/run/sentences.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace penstock::compare {
namespace {

constexpr const char* kUring = "penstock-uring";
constexpr const char* kEpoll = "penstock-epoll";

template <class... Values>
std::string printed(const char* form, Values... values) {
  char text[200];
  std::snprintf(text, sizeof text, form, values...);
  return text;
}

std::string nameOf(const CellSummary& cell) { return cell.cell.workload + ", " + cell.description; }

// The two backends by one metric, over the cells that are about it.
struct Tally {
  std::vector<std::pair<double, std::string>> less, more;  // By ratio, with where.
  std::size_t same = 0;
  std::size_t notApart = 0;
  int within = 0;  // Per cent, of all that are the same.

  std::size_t all() const { return less.size() + more.size() + same + notApart; }

  void add(const Comparison& found, const std::string& where) {
    switch (found.verdict.word) {
      case Word::kLess:
        return less.emplace_back(found.ratio().median, where), void();
      case Word::kMore:
        return more.emplace_back(found.ratio().median, where), void();
      case Word::kSame:
        within = std::max(within, found.verdict.within);
        return ++same, void();
      case Word::kNotApart:
        return ++notApart, void();
    }
  }
};

Tally tallyOf(const Summary& summary, const std::string& metric, bool ratesOnly) {
  Tally tally;
  for (const CellSummary& cell : summary.cells) {
    if (ratesOnly ? !cell.cell.open() : primaryMetric(cell.cell) != metric) continue;
    const Comparison* found = cell.compare(kUring, kEpoll, metric);
    if (found != nullptr && found->valid) tally.add(*found, nameOf(cell));
  }
  std::sort(tally.less.begin(), tally.less.end());
  std::sort(tally.more.rbegin(), tally.more.rend());
  return tally;
}

using Sentences = std::vector<std::string>;

void addCpu(const Summary& summary, Sentences& sentences) {
  const Tally tally = tallyOf(summary, "cpu_us", false);
  if (tally.all() == 0) return;
  const std::string all = " of " + std::to_string(tally.all()) + " cells";
  const auto add = [&](const char* what, const auto& found, const char* how) {
    if (found.empty()) return sentences.push_back(what + std::string(" in none") + all);
    sentences.push_back(what + (" in " + std::to_string(found.size())) + all + how +
                        printed("%.2fx", found.front().first) + " (" + found.front().second + ")");
  };
  add("io_uring needs less CPU", tally.less, ", down to ");
  add("io_uring needs more CPU", tally.more, ", up to ");
  std::string rest = "the same CPU in " + std::to_string(tally.same);
  if (tally.same > 0) rest += " (within " + std::to_string(tally.within) + " %)";
  sentences.push_back(rest + ", not told apart in " + std::to_string(tally.notApart));
}

void addRates(const Summary& summary, Sentences& sentences) {
  const Tally tally = tallyOf(summary, "p99_us", true);
  if (tally.all() == 0) return;
  sentences.push_back("at fixed rates io_uring's p99 is less in " +
                      std::to_string(tally.less.size()) + ", more in " +
                      std::to_string(tally.more.size()) + ", the same in " +
                      std::to_string(tally.same) + ", not told apart in " +
                      std::to_string(tally.notApart) + " of " + std::to_string(tally.all()));
}

// The first message cell that met both clients.
void addClients(const Summary& summary, Sentences& sentences) {
  for (const CellSummary& ring : summary.cells) {
    if (ring.cell.client != kUringClient) continue;
    Cell plain = ring.cell;
    plain.client = kEpollClient;
    for (const CellSummary& cell : summary.cells) {
      const Comparison* one = cell.compare(kUring, kEpoll, "cpu_us");
      const Comparison* other = ring.compare(kUring, kEpoll, "cpu_us");
      if (!(cell.cell == plain) || !one || !other || !one->valid || !other->valid) continue;
      return sentences.push_back("io_uring's gain depends on the client: " +
                                 printed("%.2fx with one on epoll, %.2fx with one on io_uring",
                                         one->ratio().median, other->ratio().median) +
                                 " (" + nameOf(cell) + ")");
    }
  }
}

// What the A/A pairs say of the run, and the smallest differences that it could tell apart.
void addSight(const Summary& summary, Sentences& sentences) {
  std::vector<double> seen;
  std::size_t pairs = 0, close = 0, apartByMistake = 0;
  for (const CellSummary& cell : summary.cells) {
    const Comparison* main = cell.main();
    if (main != nullptr && main->valid && main->verdict.sees) {
      seen.push_back(100 * *main->verdict.sees);
    }
    const Comparison* pair = cell.pair(primaryMetric(cell.cell));
    if (pair == nullptr || !pair->valid || !pair->verdict.sees) continue;
    ++pairs;
    close += std::abs(std::log(pair->ratio().median)) <= std::log(1.02);
    apartByMistake += pair->differs();
  }
  if (seen.empty() || pairs == 0) {
    return sentences.push_back(
        "what this run can see is not known: too few rounds, or no A/A pair");
  }
  const auto [least, most] = std::minmax_element(seen.begin(), seen.end());
  sentences.push_back(
      printed("this run sees differences from %.1f %% on in the middle cell "
              "(%.1f %% to %.1f %%)",
              median(seen), *least, *most));
  sentences.push_back("two servers of one engine (A/A) lie within 2 % in " + std::to_string(close) +
                      " of " + std::to_string(pairs) + " cells, and are told apart in " +
                      std::to_string(apartByMistake));
}

}  // namespace

std::string describe(const Cell& cell) {
  const Workload* workload = findWorkload(cell.workload);
  std::string text = workload->describe(cell);
  if (cell.open()) text += " under " + std::to_string(std::lround(cell.load * 100)) + " % load";
  if (cell.client != kEpollClient) text += ", client on " + cell.client;
  return text;
}

std::string wordsOf(const Comparison& comparison) {
  if (!comparison.valid) return "not valid";
  switch (comparison.verdict.word) {
    case Word::kLess:
      return "less";
    case Word::kMore:
      return "more";
    case Word::kSame:
      return "the same within " + std::to_string(comparison.verdict.within) + " %";
    case Word::kNotApart:
      return printed("not told apart: between %.2f and %.2f", comparison.ratio().interval.low,
                     comparison.ratio().interval.high);
  }
  return {};
}

std::vector<std::string> sentencesOf(const Summary& summary) {
  Sentences sentences;
  addCpu(summary, sentences);
  addClients(summary, sentences);
  addRates(summary, sentences);
  addSight(summary, sentences);
  return sentences;
}

}  // namespace penstock::compare
