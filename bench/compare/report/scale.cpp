#include <penstock/bench/compare/report/scale.h>

#include <algorithm>
#include <cmath>

namespace penstock::compare {

Scale::Scale(double low, double high, double from, double to, bool logarithmic)
    : low_(low),
      high_(high > low ? high : low + 1),
      from_(from),
      to_(to),
      logarithmic_(logarithmic) {}

double Scale::at(double value) const {
  const double share = logarithmic_ ? std::log(value / low_) / std::log(high_ / low_)
                                    : (value - low_) / (high_ - low_);
  return std::lerp(from_, to_, std::clamp(share, 0.0, 1.0));
}

std::vector<double> Scale::ticks(int wanted) const {
  return logarithmic_ ? logarithmicTicks(wanted) : linearTicks(wanted);
}

// Steps of 1, 2 or 5 times a power of ten.
std::vector<double> Scale::linearTicks(int wanted) const {
  const double rough = (high_ - low_) / wanted;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = power * 10;
  for (const double factor : {5.0, 2.0, 1.0}) {
    if (power * factor >= rough) step = power * factor;
  }
  std::vector<double> ticks;
  const auto first = static_cast<long>(std::ceil(low_ / step - 1e-9));
  const auto last = static_cast<long>(std::floor(high_ / step + 1e-9));
  for (long i = first; i <= last; ++i) ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

// Powers of ten; with the 2s and 5s between them where those are few.
std::vector<double> Scale::logarithmicTicks(int wanted) const {
  std::vector<double> ticks;
  const bool fine = std::log10(high_ / low_) * 3 <= wanted + 1;
  for (double power = std::pow(10, std::floor(std::log10(low_))); power <= high_; power *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double tick = power * factor;
      if ((factor == 1 || fine) && tick >= low_ * 0.999 && tick <= high_ * 1.001) {
        ticks.push_back(tick);
      }
    }
  }
  return ticks;
}

}  // namespace penstock::compare
