// RelayState: what the two ends of a relay and its handles share.
#pragma once

#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/timer.h>
#include <penstock/transports/relay.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <system_error>

namespace penstock {

class RelayEnd;

// Lives as long as an end or a handle. Only the ends see to it that nothing here refers to what is
// gone: they take themselves out, and the last one ends it.
class RelayState {
 public:
  RelayState(ReactorBase& reactor, RelayOptions options);

  void add(RelayEnd& end, std::size_t number) noexcept { ends_[number] = &end; }
  void remove(RelayEnd& end, std::error_code why);

  // `count` bytes of the end `number` are passed on.
  void passing(std::size_t number, std::size_t count);

  // How much the end `number` may pass on now; 0: nothing before readyIn() has passed.
  std::size_t allowance(std::size_t number, std::size_t most) const;
  Duration readyIn(std::size_t number) const;
  bool isLimited() const noexcept { return options_.bytesPerSecond > 0; }

  ReactorBase& reactor() const noexcept { return reactor_; }
  bool active() const noexcept { return ends_[0] || ends_[1]; }
  std::uint64_t passed(std::size_t number) const noexcept { return passed_[number]; }
  RelayTap* tap() const noexcept { return options_.tap; }

  void stop();
  void abort(std::error_code why);

  // Splicing could not go on: it is tried again after more has been copied each time.
  std::size_t copiedBeforeSplicing() const noexcept { return copiedBeforeSplicing_; }
  void splicingFailed() noexcept;

 private:
  static constexpr std::size_t kCopiedBeforeSplicing = 256 * 1024;  // Less is not worth a pipe.
  static constexpr std::size_t kMostCopiedBeforeSplicing = 64 << 20;

  void watchIdleness();
  void over();

  ReactorBase& reactor_;
  RelayOptions options_;
  std::array<RelayEnd*, 2> ends_{};  // Null once it is lost or replaced.
  std::array<std::uint64_t, 2> passed_{};
  std::array<TimePoint, 2> paidUntil_{};  // What has passed was worth this much time.
  TimePoint lastPassed_;
  std::optional<Timer> idle_;
  std::error_code why_;  // The first.
  std::size_t copiedBeforeSplicing_ = kCopiedBeforeSplicing;
};

}  // namespace penstock
