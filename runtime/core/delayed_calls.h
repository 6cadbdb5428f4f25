// DelayedCalls: the calls that Reactor::callLater() has promised.
#pragma once

#include <penstock/runtime/timer.h>

#include <memory>
#include <vector>

namespace penstock {

class ReactorBase;

// Entries are recycled, so that steady use allocates nothing.
class DelayedCalls {
 public:
  explicit DelayedCalls(ReactorBase& reactor) noexcept;
  ~DelayedCalls();

  DelayedCall callAt(TimePoint when, Callback callback);

 private:
  friend class DelayedCall;
  static void fired(TimerEntry& entry);
  void recycle(DelayedCall::Entry& entry) noexcept;

  ReactorBase& reactor_;
  std::vector<std::unique_ptr<DelayedCall::Entry>> entries_;
  std::vector<DelayedCall::Entry*> free_;  // Always has room for all entries.
};

}  // namespace penstock
