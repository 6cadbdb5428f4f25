// relay(): two transports joined, each the other's producer and consumer.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/transport.h>

namespace penstock {

// Sees what a relay passes on. It must outlive both transports. Loop thread only.
class RelayTap {
 public:
  // `bytes` of `from` are about to be written to the other side. They are valid during the call.
  virtual void passing(Transport& from, Bytes bytes) = 0;

 protected:
  ~RelayTap() = default;
};

// From now on what `a` receives is written to `b`, and the other way round. A slow side stops the
// other one's reading, so that at most the high-water mark and one read wait in memory for each
// direction. The end of input of one side half-closes the other once all was passed on; when both
// have ended, both close. A reset or another error of one side resets the other.
//
// A side that is told to close or half-close takes nothing more but what was received for it by
// then, and ends when that is written, the other one likewise; an abort drops it. A bare
// loseConnection() waits, as ever, for its producer, and so until the other side has ended:
// stopConsuming() does not.
//
// Bulk traffic that nobody taps does not come to user space at all: it is spliced from socket to
// socket, in both families, and at most one pipe of kSplicePipe bytes holds what a direction has
// on its way. Transports without a descriptor are copied between.
//
// The protocols of both are kept and hear nothing but connectionLost() any more. Both transports
// must be connected, of one reactor, without a registered producer, and their input not ended;
// else std::logic_error. Either may be paused: both are resumed. Loop thread only.
// Twisted: protocols.portforward.
PENSTOCK_API void relay(Transport& a, Transport& b, RelayTap* tap = nullptr);

}  // namespace penstock
