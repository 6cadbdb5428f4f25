#include <penstock/bench/compare/run/statistics.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace penstock::compare {
namespace {

constexpr double kTail = 0.025;

// How many means of pairs lie outside of the interval at either end; near enough to exact from six
// values on, where it is 0: all of them.
std::size_t signedRank(std::size_t count) {
  constexpr double kDeviations = 1.96;
  const auto n = static_cast<double>(count);
  const double all = n * (n + 1) / 2;
  const double rank = all / 2 - kDeviations * std::sqrt(all * (2 * n + 1) / 12) - 0.5;
  return static_cast<std::size_t>(std::max(0.0, std::floor(rank)));
}

}  // namespace

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  if (values.size() % 2 == 1) return values[middle];
  return std::midpoint(values[middle - 1], values[middle]);
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

Estimate estimate(const std::vector<double>& values) {
  std::vector<double> sorted = values;
  std::sort(sorted.begin(), sorted.end());
  const std::size_t rank = exactRank(sorted.size());
  return {median(values), {sorted[rank], sorted[sorted.size() - 1 - rank]}};
}

Estimate centre(const std::vector<double>& values) {
  std::vector<double> means;
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = i; j < values.size(); ++j) {
      means.push_back(std::midpoint(values[i], values[j]));
    }
  }
  std::sort(means.begin(), means.end());
  const std::size_t rank = signedRank(values.size());
  return {median(means), {means[rank], means[means.size() - 1 - rank]}};
}

double geometricMean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

}  // namespace penstock::compare
