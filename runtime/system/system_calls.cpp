#include <penstock/runtime/system/clock_calls.h>
#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/runtime/system/pipe_calls.h>
#include <penstock/runtime/system/poll_calls.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/runtime/system/system_calls.h>

#include <atomic>

namespace penstock {
namespace {

template <class Calls>
constinit std::atomic<Calls*> standIn{nullptr};

template <class Calls>
Calls& inUse() noexcept {
  static Calls kernel;
  Calls* const other = standIn<Calls>.load(std::memory_order_acquire);
  return other ? *other : kernel;
}

template <class Calls>
Calls* replace(Calls* calls) noexcept {
  return standIn<Calls>.exchange(calls, std::memory_order_acq_rel);
}

}  // namespace

ClockCalls& clockCalls() noexcept { return inUse<ClockCalls>(); }
DescriptorCalls& descriptorCalls() noexcept { return inUse<DescriptorCalls>(); }
PipeCalls& pipeCalls() noexcept { return inUse<PipeCalls>(); }
PollCalls& pollCalls() noexcept { return inUse<PollCalls>(); }
SocketCalls& socketCalls() noexcept { return inUse<SocketCalls>(); }

SystemCalls replaceSystemCalls(const SystemCalls& calls) noexcept {
  return {replace(calls.descriptor), replace(calls.socket), replace(calls.pipe),
          replace(calls.poll), replace(calls.clock)};
}

}  // namespace penstock
