#include <penstock/bench/compare/run/judgement.h>

#include <algorithm>
#include <cmath>

namespace penstock::compare {
namespace {

// Two runs of one engine that happen to agree do not make a machine free of noise.
constexpr double kLeastNoise = 0.02;

// How many times the scatter a whole interval must lie beyond. Chosen by simulation
// (judgement_test.cpp): so an A/A pair is told apart by mistake once in 10,000, with five rounds on
// a machine that changes its speed; and a run has some fifty pairs.
constexpr double kMargin = 1.75;
constexpr double kMost = 0.75;

std::vector<double> logRatios(const Rounds& one, const Rounds& other) {
  std::vector<double> ratios;
  for (const auto& [round, value] : one) {
    const auto found = other.find(round);
    if (found == other.end() || value <= 0 || found->second <= 0) continue;
    ratios.push_back(std::log(value / found->second));
  }
  return ratios;
}

void addDistances(const std::vector<double>& ratios, std::vector<double>& distances) {
  if (ratios.size() < 2) return;
  const double middle = median(ratios);
  for (const double ratio : ratios) distances.push_back(std::abs(ratio - middle));
}

double floorOf(const std::vector<double>& ratios, const Noise& noise) {
  std::vector<double> own;
  addDistances(ratios, own);
  const double scatter = std::max(noise.scatter, own.empty() ? 0 : quantile(own, kMost));
  return std::max({kLeastNoise, kMargin * scatter, noise.pair.value_or(0)});
}

bool beyond(const Interval& logs, double floor) { return logs.low > floor || logs.high < -floor; }

}  // namespace

std::optional<Verdict> judge(const Rounds& one, const Rounds& other, const Noise& noise,
                             std::uint64_t seed) {
  const auto ratios = logRatios(one, other);
  if (ratios.empty()) return std::nullopt;
  const Estimate logs = estimate(ratios, seed);
  Verdict verdict;
  verdict.ratio = {std::exp(logs.median),
                   {std::exp(logs.interval.low), std::exp(logs.interval.high)}};
  verdict.rounds = ratios.size();
  verdict.noiseFloor = floorOf(ratios, noise);
  verdict.differ =
      noise.pair && ratios.size() >= kFewestRounds && beyond(logs.interval, verdict.noiseFloor);
  return verdict;
}

std::optional<double> scatterOf(const std::vector<const Rounds*>& engines) {
  std::vector<double> distances;
  for (std::size_t i = 0; i < engines.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      addDistances(logRatios(*engines[i], *engines[j]), distances);
    }
  }
  if (distances.empty()) return std::nullopt;
  return quantile(distances, kMost);
}

}  // namespace penstock::compare
