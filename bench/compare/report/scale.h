// Scale: from figures to places on an axis.
#pragma once

#include <vector>

namespace penstock::compare {

// Linear or logarithmic. A logarithmic one needs 0 < low < high.
class Scale {
 public:
  Scale(double low, double high, double from, double to, bool logarithmic);

  double at(double value) const;

  // Round values within the range, about `wanted` of them, for grid lines.
  std::vector<double> ticks(int wanted) const;

 private:
  std::vector<double> linearTicks(int wanted) const;
  std::vector<double> logarithmicTicks(int wanted) const;

  double low_;
  double high_;
  double from_;
  double to_;
  bool logarithmic_;
};

}  // namespace penstock::compare
