#include <penstock/bench/compare/run/lateness.h>

#include <algorithm>

namespace penstock::compare {

double lateShare(const LoadResult& load, double percent) {
  const auto latency = static_cast<double>(load.latency.percentile(percent));
  const auto lateness = static_cast<double>(load.lateness.percentile(percent));
  return latency > 0 ? lateness / latency : 0;
}

double lateShare(const LoadResult& load) {
  return std::max(lateShare(load, 50), lateShare(load, 99));
}

// The tail can be the hypervisor's doing, which a lower rate does not mend.
bool isOvercharged(const LoadResult& load) {
  return lateShare(load, 50) > 0.25 || lateShare(load, 90) > 0.5;
}

}  // namespace penstock::compare
