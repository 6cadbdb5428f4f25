// Timer and DelayedCall: a callback at a later time.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/parts/timer_queue.h>
#include <penstock/runtime/parts/unique_function.h>

#include <cstdint>

namespace penstock {

class Reactor;

// A timer that its owner embeds: arming and cancelling it allocates nothing. It must not outlive
// the reactor. The callback may arm, cancel or destroy the timer, and goes on with what it has
// captured; an exception from it is logged and the loop lives on. Loop thread only.
class PENSTOCK_API Timer : private TimerEntry {
 public:
  // Throws std::invalid_argument if `callback` is empty.
  Timer(Reactor& reactor, Callback callback);

  // (Re-)starts it: the callback comes once, `delay` or more from now, never earlier.
  void arm(Duration delay);
  void cancel() noexcept;
  using TimerEntry::active;

 private:
  static void fired(TimerEntry& entry);

  Reactor& reactor_;
  Callback callback_;
};

// What Reactor::callLater() gives: a small value, copied freely, not used after the reactor is
// gone. Once the call was made or cancelled, active() is false, and cancel, reset and delay do
// nothing and return false. Loop thread only. Twisted: IDelayedCall.
class PENSTOCK_API DelayedCall {
 public:
  DelayedCall() noexcept = default;

  bool active() const noexcept;
  bool cancel() noexcept;
  bool reset(Duration fromNow);        // Due `fromNow` from now instead.
  bool delay(Duration longer);         // Due `longer` later than it was; earlier, if negative.
  TimePoint getTime() const noexcept;  // When it is due; the epoch once it is not active.

 private:
  friend class DelayedCalls;
  struct Entry;
  DelayedCall(Entry* entry, std::uint64_t use) noexcept : entry_(entry), use_(use) {}

  Entry* entry_ = nullptr;
  std::uint64_t use_ = 0;  // Entries are used again; this is the use that is meant.
};

}  // namespace penstock
