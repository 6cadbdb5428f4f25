#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/timer.h>

#include <utility>

namespace penstock {

namespace {

// Lies in a timer's callback while that runs elsewhere, and is destroyed with the timer.
class StandIn {
 public:
  explicit StandIn(bool& timerGone) noexcept : timerGone_(&timerGone) {}
  StandIn(StandIn&& other) noexcept : timerGone_(std::exchange(other.timerGone_, nullptr)) {}
  ~StandIn() {
    if (timerGone_) *timerGone_ = true;
  }
  void operator()() const noexcept {}

 private:
  bool* timerGone_;
};

}  // namespace

Timer::Timer(Reactor& reactor, Callback callback)
    : TimerEntry(&Timer::fired),
      reactor_(reactor),
      callback_(required(std::move(callback), "Timer: the callback is empty")) {}

void Timer::arm(Duration delay) {
  ReactorBase& base = ReactorBase::of(reactor_);
  base.timers().arm(*this, base.deadlineAfter(delay));
}

void Timer::cancel() noexcept { ReactorBase::of(reactor_).timers().cancel(*this); }

// The callback may destroy the timer, and what it has captured must outlive that.
void Timer::fired(TimerEntry& entry) {
  auto& timer = static_cast<Timer&>(entry);
  bool gone = false;
  Callback callback = std::move(timer.callback_);
  timer.callback_ = StandIn(gone);
  ReactorBase::of(timer.reactor_).runCallback(callback);
  if (!gone) timer.callback_ = std::move(callback);
}

struct DelayedCall::Entry : TimerEntry {
  Entry(DelayedCalls& owner, Fire fire) noexcept : TimerEntry(fire), owner(owner) {}

  DelayedCalls& owner;
  Callback callback;
  std::uint64_t use = 0;
};

bool DelayedCall::active() const noexcept {
  return entry_ && entry_->use == use_ && entry_->active();
}

bool DelayedCall::cancel() noexcept {
  if (!active()) return false;
  entry_->owner.reactor_.timers().cancel(*entry_);
  entry_->owner.recycle(*entry_);
  return true;
}

bool DelayedCall::reset(Duration fromNow) {
  if (!active()) return false;
  ReactorBase& reactor = entry_->owner.reactor_;
  reactor.timers().arm(*entry_, reactor.deadlineAfter(fromNow));
  return true;
}

bool DelayedCall::delay(Duration longer) {
  if (!active()) return false;
  entry_->owner.reactor_.timers().arm(*entry_, later(entry_->deadline(), longer));
  return true;
}

TimePoint DelayedCall::getTime() const noexcept {
  return active() ? entry_->deadline() : TimePoint{};
}

DelayedCalls::DelayedCalls(ReactorBase& reactor) noexcept : reactor_(reactor) {}
DelayedCalls::~DelayedCalls() = default;

DelayedCall DelayedCalls::callAt(TimePoint when, Callback callback) {
  if (free_.empty()) {
    free_.reserve(entries_.size() + 1);
    entries_.push_back(std::make_unique<DelayedCall::Entry>(*this, &DelayedCalls::fired));
    free_.push_back(entries_.back().get());
  }
  DelayedCall::Entry& entry = *free_.back();
  reactor_.timers().arm(entry, when);
  free_.pop_back();
  entry.callback = std::move(callback);
  return DelayedCall(&entry, entry.use);
}

void DelayedCalls::fired(TimerEntry& fired) {
  auto& entry = static_cast<DelayedCall::Entry&>(fired);
  Callback callback = std::move(entry.callback);
  DelayedCalls& calls = entry.owner;
  calls.recycle(entry);
  calls.reactor_.runCallback(callback);
}

void DelayedCalls::recycle(DelayedCall::Entry& entry) noexcept {
  entry.callback = nullptr;
  ++entry.use;
  free_.push_back(&entry);
}

}  // namespace penstock
