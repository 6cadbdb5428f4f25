#include <penstock/bench/compare/run/judgement.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace penstock::compare {
namespace {

// Two servers of one engine differ by chance of where their memory lies, in all rounds alike.
constexpr double kLeastFloor = 0.01;
constexpr double kLeastOnce = 0.05;

// Wider than that, "the same" would be an empty word.
constexpr int kWidestSame = 3;

std::vector<double> logRatios(const Rounds& one, const Rounds& other) {
  std::vector<double> ratios;
  for (const auto& [round, value] : one) {
    const auto found = other.find(round);
    if (found == other.end() || value <= 0 || found->second <= 0) continue;
    ratios.push_back(std::log(value / found->second));
  }
  return ratios;
}

Estimate exponentials(const Estimate& logs) {
  return {std::exp(logs.median), {std::exp(logs.interval.low), std::exp(logs.interval.high)}};
}

double distanceOf(const std::optional<double>& ratio) {
  return ratio && *ratio > 0 ? std::abs(std::log(*ratio)) : 0;
}

// Half of the interval, on the side that is wider.
double widthOf(const Estimate& logs) {
  return std::max(logs.interval.high - logs.median, logs.median - logs.interval.low);
}

// How far the centre could be out by the luck of the servers: each sitting has had its own. Two and
// a half times the standard error of the sittings' centres, which are too few to know it well.
double luckOf(const std::vector<double>& ratios) {
  std::vector<double> centres;
  for (std::size_t i = 0; i < kSittings; ++i) {
    const auto begin = ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() * i / kSittings);
    const auto end =
        ratios.begin() + static_cast<std::ptrdiff_t>(ratios.size() * (i + 1) / kSittings);
    centres.push_back(centre({begin, end}).median);
  }
  double sum = 0, squares = 0;
  for (const double each : centres) sum += each;
  const double mean = sum / kSittings;
  for (const double each : centres) squares += (each - mean) * (each - mean);
  return 2.5 * std::sqrt(squares / (kSittings - 1) / kSittings);
}

}  // namespace

void judgeInterval(double floor, Verdict& verdict) {
  const double low = std::log(verdict.ratio.interval.low);
  const double high = std::log(verdict.ratio.interval.high);
  if (high < -floor) {
    verdict.word = Word::kLess;
  } else if (low > floor) {
    verdict.word = Word::kMore;
  } else {
    const double reach = std::exp(std::max(std::abs(low), std::abs(high))) - 1;
    verdict.within = std::max(1, static_cast<int>(std::ceil(reach * 100)));
    verdict.word = verdict.within <= kWidestSame ? Word::kSame : Word::kNotApart;
  }
}

std::optional<Verdict> judge(const Rounds& one, const Rounds& other, std::optional<double> pair) {
  const auto ratios = logRatios(one, other);
  if (ratios.empty()) return std::nullopt;
  const Estimate logs = centre(ratios);
  Verdict verdict{exponentials(logs), ratios.size()};
  if (ratios.size() < kFewestRounds) return verdict;
  // An interval is wrong once in twenty times, and a run has twenty cells: twice its width is not.
  const double width = widthOf(logs);
  const double floor = std::max({kLeastFloor, width, distanceOf(pair), luckOf(ratios)});
  verdict.sees = std::exp(width + floor) - 1;
  judgeInterval(floor, verdict);
  return verdict;
}

Verdict judgeOnce(double one, double other, std::optional<double> pair) {
  const double floor = std::max(kLeastOnce, distanceOf(pair));
  const double ratio = one / other;
  Verdict verdict{{ratio, {ratio * std::exp(-floor), ratio * std::exp(floor)}}, 1};
  verdict.sees = std::exp(floor) - 1;
  judgeInterval(0, verdict);
  return verdict;
}

}  // namespace penstock::compare
