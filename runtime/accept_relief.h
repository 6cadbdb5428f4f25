// AcceptRelief: how a listener survives when no descriptor is left.
#pragma once

#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/timer.h>

namespace penstock {

// Holds one descriptor in reserve. When accepting fails with EMFILE or ENFILE it gives the reserve
// up for one accept, closes that connection, so that its peer is told instead of left waiting, and
// takes the reserve back. Then the listener pauses. One log line for each such episode.
// Twisted: tcp._FileDescriptorReservation.
class AcceptRelief {
 public:
  // `retry` is called when the pause is over.
  AcceptRelief(Reactor& reactor, Callback retry);

  // What to do about a failed accept.
  enum class Advice {
    kGoOn,    // That connection is gone; accept the next.
    kShed,    // The reserve was given up: accept once more and pass it through admit().
    kPause,   // Accept nothing until `retry` is called.
    kGiveUp,  // The listening socket itself is broken.
  };
  Advice failed(long error);

  // An accepted descriptor to use, or an empty one: there was none, or it was closed to get the
  // reserve back; then the listener must pause until `retry` is called.
  OwnedFd admit(OwnedFd accepted);

 private:
  bool pause();
  void logOnce(long error);

  Reactor& reactor_;
  OwnedFd reserve_;
  Timer retry_;
  bool inTrouble_ = false;
};

}  // namespace penstock
