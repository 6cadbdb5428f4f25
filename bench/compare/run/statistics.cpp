#include <penstock/bench/compare/run/statistics.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace penstock::compare {
namespace {

constexpr double kTail = 0.025;

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

double geometricMean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

}  // namespace penstock::compare
