// Watch: somebody else's descriptor, of which the loop tells when it is ready.
#pragma once

#include <penstock/runtime/parts/unique_function.h>

#include <system_error>

namespace penstock {

// What to wait for. Neither: nothing, for the time being.
struct Interest {
  bool readable = false;
  bool writable = false;
};

// What is told. Of what was asked for, what can be done without waiting; an error or hang-up of the
// descriptor makes ready all that was asked for, so that a read or write finds it.
struct Ready {
  bool readable = false;
  bool writable = false;

  // Set: the watch is over, and nothing more comes: ConnectionError::kLost when the reactor
  // disconnects everything, else what the kernel says against waiting for this descriptor.
  std::error_code lost = {};
};

using WatchHandler = UniqueFunction<void(const Ready& ready)>;

// What Reactor::watch() gives: for descriptors that belong to somebody else, as a library with
// sockets of its own, inotify, or a pidfd. Level-triggered: while the descriptor stays ready, the
// handler is called once in each turn. Loop thread only. Twisted: IReactorFDSet.
class Watch {
 public:
  // From now on waits for `interest` instead. The handler may call it.
  virtual void change(Interest interest) = 0;

  // Ends it: the handler is not called any more, and this is gone at the end of the turn. Before
  // the descriptor is closed. The handler may call it.
  virtual void stop() = 0;

 protected:
  ~Watch() = default;
};

}  // namespace penstock
