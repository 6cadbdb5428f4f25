// Histogram: how often each duration was seen, within 1 % at any size (the idea of HdrHistogram).
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace penstock::compare {

// Values are nanoseconds. Recording allocates nothing. Any thread, one at a time.
class Histogram {
 public:
  Histogram();

  // Values above kLargest are counted as kLargest.
  void record(std::uint64_t value, std::uint64_t times = 1) noexcept;
  void merge(const Histogram& other) noexcept;
  void clear() noexcept;

  std::uint64_t count() const noexcept { return count_; }
  std::uint64_t largest() const noexcept { return largest_; }  // Exact; 0 when empty.

  // The smallest value that `percent` of all are at or under, to within 1 %; 0 when empty.
  std::uint64_t percentile(double percent) const noexcept;

  // {"count":…, "largest":…, "buckets":[[lowest value of the bucket, times], …]}: empty buckets
  // are left out.
  nlohmann::json toJson() const;
  // Throws nlohmann::json::exception if `json` is not of that form.
  static Histogram fromJson(const nlohmann::json& json);

  static constexpr std::uint64_t kLargest = std::uint64_t{1} << 40;  // 18 minutes.

 private:
  static constexpr unsigned kSubBits = 7;  // Each power of two has 128 buckets.

  static std::size_t bucketOf(std::uint64_t value) noexcept;
  static std::uint64_t lowestOf(std::size_t bucket) noexcept;
  static std::uint64_t middleOf(std::size_t bucket) noexcept;

  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  std::uint64_t largest_ = 0;
};

}  // namespace penstock::compare
