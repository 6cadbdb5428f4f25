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

// A median with its 95 % interval, which never promises more than the values can keep: by bootstrap
// (the middle 95 % of the medians of `values` drawn from themselves), and at least the interval
// that holds for any distribution, from one value to another of them in order. Under nine values
// that is all of them, from the least to the most: 97 % and more for six to eight, 94 % for five.
// The same seed gives the same interval.
struct Estimate {
  double median = 0;
  Interval interval;
};
Estimate estimate(const std::vector<double>& values, std::uint64_t seed);

// How many values from either end the interval for any distribution begins: 0 means all values.
std::size_t exactRank(std::size_t count);

// What part `parts` are of `wholes`, summed up, with the interval of the bootstrap over both
// together; for counts that are too coarse one by one. Not empty; `wholes` have a sum above 0.
Estimate estimateShare(const std::vector<double>& parts, const std::vector<double>& wholes,
                       std::uint64_t seed);

inline bool apart(const Interval& one, const Interval& other) {
  return one.high < other.low || other.high < one.low;
}

// The geometric mean; `values` are above 0 and not empty.
double geometricMean(const std::vector<double>& values);

}  // namespace penstock::compare
