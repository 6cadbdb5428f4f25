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

Estimate estimate(const std::vector<double>& values, std::uint64_t seed) {
  return {median(values), bootstrap(seed, [&values](std::mt19937_64& random) {
            return median(resampled(values, random));
          })};
}

Estimate estimateRatio(const std::vector<double>& above, const std::vector<double>& below,
                       std::uint64_t seed) {
  return {median(above) / median(below), bootstrap(seed, [&](std::mt19937_64& random) {
            return median(resampled(above, random)) / median(resampled(below, random));
          })};
}

double geometricMean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += std::log(value);
  return std::exp(sum / static_cast<double>(values.size()));
}

}  // namespace penstock::compare
