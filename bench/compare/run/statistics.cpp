#include <penstock/bench/compare/run/statistics.h>

#include <algorithm>
#include <cmath>
#include <random>

namespace penstock::compare {
namespace {

constexpr int kResamples = 2000;
constexpr double kTail = 0.025;

std::vector<double> resampled(const std::vector<double>& values, std::mt19937_64& random) {
  std::uniform_int_distribution<std::size_t> any(0, values.size() - 1);
  std::vector<double> drawn(values.size());
  for (double& value : drawn) value = values[any(random)];
  return drawn;
}

template <class Statistic>
Interval bootstrap(std::uint64_t seed, Statistic statistic) {
  std::mt19937_64 random(seed);
  std::vector<double> results(kResamples);
  for (double& result : results) result = statistic(random);
  return {quantile(results, kTail), quantile(results, 1 - kTail)};
}

}  // namespace

double median(std::vector<double> values) { return quantile(std::move(values), 0.5); }

double quantile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  const double place = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return std::lerp(values[below], values[above], place - static_cast<double>(below));
}

double spread(const std::vector<double>& values) {
  const double middle = median(values);
  return middle == 0 ? 0 : (quantile(values, 0.75) - quantile(values, 0.25)) / std::abs(middle);
}

// A median lies above the (rank + 1)th smallest value unless at most `rank` of `count` values lie
// below it, each of which is as likely as not.
std::size_t exactRank(std::size_t count) {
  const auto n = static_cast<double>(count);
  double chance = std::pow(0.5, n);  // Of exactly `rank` values below the median.
  double below = chance;             // Of `rank` or fewer.
  std::size_t rank = 0;
  while (true) {
    chance *= (n - static_cast<double>(rank)) / (static_cast<double>(rank) + 1);
    below += chance;
    if (rank + 1 >= count / 2 || below > kTail) return rank;
    ++rank;
  }
}

Estimate estimate(const std::vector<double>& values, std::uint64_t seed) {
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t rank = exactRank(sorted.size());
  Estimate result{median(values), {sorted[rank], sorted[sorted.size() - 1 - rank]}};
  if (rank == 0) return result;  // No resampling reaches beyond the values.
  const Interval drawn = bootstrap(
      seed, [&values](std::mt19937_64& random) { return median(resampled(values, random)); });
  result.interval.low = std::min(result.interval.low, drawn.low);
  result.interval.high = std::max(result.interval.high, drawn.high);
  return result;
}

Estimate estimateShare(const std::vector<double>& parts, const std::vector<double>& wholes,
                       std::uint64_t seed) {
  std::uniform_int_distribution<std::size_t> any(0, parts.size() - 1);
  const auto share = [&](auto&& next) {
    double part = 0, whole = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const std::size_t at = next(i);
      part += parts[at];
      whole += wholes[at];
    }
    return whole > 0 ? part / whole : 0;
  };
  return {share([](std::size_t i) { return i; }), bootstrap(seed, [&](std::mt19937_64& random) {
            return share([&](std::size_t) { return any(random); });
          })};
}

double geometricMean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

}  // namespace penstock::compare
