// The few statistics of the reports: medians, and how sure they are.
#pragma once

#include <cstdint>
#include <vector>

namespace penstock::compare {

// Middle value, or the mean of the two middle ones. `values` must not be empty.
double median(std::vector<double> values);

// The value below which `share` (0 to 1) of the values lie, interpolated. Not empty.
double quantile(std::vector<double> values, double share);

// The range of the middle half over the median: how far repetitions lie apart, outliers apart.
double spread(const std::vector<double>& values);

struct Interval {
  double low = 0;
  double high = 0;
};

// The median with its 95 % interval by the percentile bootstrap: the middle 95 % of the medians
// of `values` drawn from themselves with replacement. The same seed gives the same interval.
struct Estimate {
  double median = 0;
  Interval interval;
};
Estimate estimate(const std::vector<double>& values, std::uint64_t seed);

// The same for the ratio of two medians, above.median / below.median.
Estimate estimateRatio(const std::vector<double>& above, const std::vector<double>& below,
                       std::uint64_t seed);

inline bool apart(const Interval& one, const Interval& other) {
  return one.high < other.low || other.high < one.low;
}

// The geometric mean; `values` are above 0 and not empty.
double geometricMean(const std::vector<double>& values);

}  // namespace penstock::compare
