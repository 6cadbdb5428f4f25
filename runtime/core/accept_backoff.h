// AcceptBackoff: how a listener survives what accepting can fail with.
#pragma once

#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/timer.h>

#include <string_view>

namespace penstock {

class ReactorBase;

// Holds one descriptor in reserve. When accepting fails with EMFILE or ENFILE it gives the reserve
// up for one accept, closes that connection, so that its peer is told instead of left waiting, and
// takes the reserve back. Then the listener pauses. It also pauses when memory is short, and when
// what should concern one connection fails again and again. One log line for each such episode.
// Twisted: tcp._FileDescriptorReservation.
class AcceptBackoff {
 public:
  // `retry` is called when the pause is over.
  AcceptBackoff(ReactorBase& reactor, Callback retry);

  // What to do about a failed accept.
  enum class Advice {
    kGoOn,    // Accept the next, and pass it through admit().
    kPause,   // Accept nothing until `retry` is called.
    kGiveUp,  // The listening socket itself is broken.
  };
  // `othersInFlight`: more accepts are under way, so that this one need not have been the shed one.
  Advice failed(long error, bool othersInFlight);

  // An accepted descriptor to use, or an empty one: it was closed to get the reserve back; then the
  // listener must pause until `retry` is called.
  OwnedFd admit(OwnedFd accepted);

  // Nobody waits to be accepted. False: the listener must pause until `retry` is called.
  bool recovered();

 private:
  Advice shed(bool othersInFlight);
  Advice pause();
  void logOnce(long error, std::string_view whatNow);

  ReactorBase& reactor_;
  OwnedFd reserve_;
  Timer retry_;
  unsigned failuresInARow_ = 0;
  bool inTrouble_ = false;
};

}  // namespace penstock
