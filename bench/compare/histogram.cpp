#include <penstock/bench/compare/histogram.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <cmath>

namespace penstock::compare {

Histogram::Histogram() : buckets_(bucketOf(kLargest) + 1) {}

// Below 2^kSubBits each value has its own bucket; above, a power of two is cut into 2^kSubBits.
std::size_t Histogram::bucketOf(std::uint64_t value) noexcept {
  if (value < (1U << kSubBits)) return value;
  const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - kSubBits - 1;
  return (std::size_t{shift} << kSubBits) + (value >> shift);
}

std::uint64_t Histogram::lowestOf(std::size_t bucket) noexcept {
  if (bucket < (2U << kSubBits)) return bucket;
  const std::size_t shift = (bucket >> kSubBits) - 1;
  return (bucket - (shift << kSubBits)) << shift;
}

std::uint64_t Histogram::middleOf(std::size_t bucket) noexcept {
  return (lowestOf(bucket) + lowestOf(bucket + 1) - 1) / 2;
}

void Histogram::record(std::uint64_t value, std::uint64_t times) noexcept {
  value = std::min(value, kLargest);
  buckets_[bucketOf(value)] += times;
  count_ += times;
  largest_ = std::max(largest_, value);
}

void Histogram::merge(const Histogram& other) noexcept {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  largest_ = std::max(largest_, other.largest_);
}

void Histogram::clear() noexcept {
  std::fill(buckets_.begin(), buckets_.end(), 0);
  count_ = largest_ = 0;
}

std::uint64_t Histogram::percentile(double percent) const noexcept {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(percent / 100 * static_cast<double>(count_));
  const auto rank = std::clamp(static_cast<std::uint64_t>(wanted), std::uint64_t{1}, count_);
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= rank) return std::min(middleOf(i), largest_);
  }
  return largest_;
}

nlohmann::json Histogram::toJson() const {
  auto buckets = nlohmann::json::array();
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    if (buckets_[i] != 0) buckets.push_back({lowestOf(i), buckets_[i]});
  }
  return {{"count", count_}, {"largest", largest_}, {"buckets", std::move(buckets)}};
}

Histogram Histogram::fromJson(const nlohmann::json& json) {
  Histogram histogram;
  for (const auto& bucket : json.at("buckets")) {
    histogram.record(bucket.at(0).get<std::uint64_t>(), bucket.at(1).get<std::uint64_t>());
  }
  histogram.largest_ = json.at("largest").get<std::uint64_t>();
  return histogram;
}

}  // namespace penstock::compare
