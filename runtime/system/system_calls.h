// SystemCalls: the seam to the kernel, by shape, which a test or a simulation can stand in for.
#pragma once

#include <penstock/runtime/export.h>

namespace penstock {

class ClockCalls;
class DescriptorCalls;
class PipeCalls;
class PollCalls;
class SocketCalls;

// Each shape has a header here with a class of virtual functions and an accessor, so that the place
// of a call says which shape it is of: socketCalls().recv(...). Each function is the call of its
// name (man 2), with EINTR left to the caller. The result is that of the call, or -errno: nothing
// here uses the errno variable. One virtual call costs 2 ns, the cheapest of these system calls
// over 100. The ring of io_uring has a seam of its own, runtime/uring/ring_calls.h.
//
// This is what stands in for each shape, null for the kernel itself.
struct SystemCalls {
  DescriptorCalls* descriptor = nullptr;
  SocketCalls* socket = nullptr;
  PipeCalls* pipe = nullptr;
  PollCalls* poll = nullptr;
  ClockCalls* clock = nullptr;
};

// Puts `calls` in place, for the whole process, and returns what was there: to stand in for one
// shape and keep the rest, take what is there, change it and put it back. Before any reactor, and
// while no other thread uses the library.
PENSTOCK_API SystemCalls replaceSystemCalls(const SystemCalls& calls) noexcept;

}  // namespace penstock
