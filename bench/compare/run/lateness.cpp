#include <penstock/bench/compare/run/lateness.h>
#include <penstock/bench/compare/run/statistics.h>

#include <algorithm>

namespace penstock::compare {

double lateShare(const LoadResult& load, double percent) {
  const auto latency = static_cast<double>(load.latency.percentile(percent));
  const auto lateness = static_cast<double>(load.lateness.percentile(percent));
  return latency > 0 ? lateness / latency : 0;
}

double lateShare(const std::vector<const Sample*>& samples) {
  double worst = 0;
  for (const double percent : {50.0, 99.0}) {
    std::vector<double> shares;
    for (const Sample* sample : samples) shares.push_back(lateShare(sample->load, percent));
    if (!shares.empty()) worst = std::max(worst, median(shares));
  }
  return worst;
}

// The tail can be the hypervisor's doing, which a lower rate does not mend.
bool isOvercharged(const LoadResult& load) {
  return lateShare(load, 50) > 0.25 || lateShare(load, 90) > 0.5;
}

}  // namespace penstock::compare
