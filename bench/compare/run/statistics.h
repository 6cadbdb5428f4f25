// The few statistics of the reports: medians, and how sure they are.
#pragma once

#include <cstddef>
#include <vector>

namespace penstock::compare {

// Middle value, or the mean of the two middle ones. `values` must not be empty.
double median(std::vector<double> values);

struct Interval {
  double low = 0;
  double high = 0;
};

// A median with its 95 % interval: from one value to another of them in order, which holds for any
// distribution. Under nine values that is all of them, from the least to the most: less than 95 %
// for five or fewer.
struct Estimate {
  double median = 0;
  Interval interval;
};
Estimate estimate(const std::vector<double>& values);

// The centre of values that scatter to both sides alike, with its 95 % interval: the median of the
// means of all pairs of them (Hodges and Lehmann), and the interval of Wilcoxon's signed ranks. An
// outlier moves it little, and it is as sure as the median of one and a half times as many values.
Estimate centre(const std::vector<double>& values);

// How many values from either end the interval begins: 0 means all values.
std::size_t exactRank(std::size_t count);

inline bool apart(const Interval& one, const Interval& other) {
  return one.high < other.low || other.high < one.low;
}

// The geometric mean; `values` are above 0 and not empty.
double geometricMean(const std::vector<double>& values);

}  // namespace penstock::compare
