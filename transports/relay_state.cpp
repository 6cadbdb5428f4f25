#include <penstock/transports/relay_end.h>
#include <penstock/transports/relay_state.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace penstock {
namespace {

constexpr Duration kBurst = std::chrono::milliseconds(100);

Duration timeFor(std::size_t bytes, std::uint64_t perSecond) {
  const double seconds = static_cast<double>(bytes) / static_cast<double>(perSecond);
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(std::min(seconds, 1e6)));
}

}  // namespace

RelayState::RelayState(ReactorBase& reactor, RelayOptions options)
    : reactor_(reactor), options_(std::move(options)), lastPassed_(reactor.now()) {
  if (options_.idleTimeout < Duration::zero()) {
    throw std::invalid_argument("relay: the idle timeout cannot be negative");
  }
  if (options_.idleTimeout == Duration::zero()) return;
  idle_.emplace(reactor, [this] { watchIdleness(); });
  idle_->arm(options_.idleTimeout);
}

void RelayState::passing(std::size_t number, std::size_t count) {
  passed_[number] += count;
  if (!idle_ && !isLimited()) return;
  lastPassed_ = reactor_.now();
  if (!isLimited()) return;
  paidUntil_[number] =
      std::max(paidUntil_[number], lastPassed_) + timeFor(count, options_.bytesPerSecond);
}

Duration RelayState::readyIn(std::size_t number) const {
  return std::max(Duration::zero(), paidUntil_[number] - kBurst - reactor_.now());
}

// Small portions, for a smooth flow.
std::size_t RelayState::allowance(std::size_t number, std::size_t most) const {
  if (!isLimited()) return most;
  if (readyIn(number) > Duration::zero()) return 0;
  const std::uint64_t portion = options_.bytesPerSecond / 20 + 1;
  return static_cast<std::size_t>(std::min<std::uint64_t>(most, portion));
}

void RelayState::watchIdleness() {
  const Duration left = later(lastPassed_, options_.idleTimeout) - reactor_.now();
  if (left > Duration::zero()) return idle_->arm(left);
  abort(std::make_error_code(std::errc::timed_out));
}

// Each call may end anything, this too: its caller holds it.
void RelayState::stop() {
  for (RelayEnd*& end : ends_) {
    if (end) end->stop();
  }
}

void RelayState::abort(std::error_code why) {
  if (!why_) why_ = why;
  for (RelayEnd*& end : ends_) {
    if (end) end->abort();
  }
}

void RelayState::splicingFailed() noexcept {
  copiedBeforeSplicing_ = std::min(2 * copiedBeforeSplicing_, kMostCopiedBeforeSplicing);
}

void RelayState::remove(RelayEnd& end, std::error_code why) {
  const auto mine = std::ranges::find(ends_, &end);
  if (mine == ends_.end()) return;  // It was lost before it was replaced.
  *mine = nullptr;
  if (!why_) why_ = why;
  if (!active()) over();
}

void RelayState::over() {
  if (idle_) idle_->cancel();
  auto onEnd = std::exchange(options_.onEnd, {});
  if (!onEnd) return;
  try {
    onEnd(why_);
  } catch (...) {
    reactor_.logException("a relay's onEnd");
  }
}

}  // namespace penstock
