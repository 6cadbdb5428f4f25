// One connection of peer-raw-uring.
#pragma once

#include "peer.h"
#include "raw_timers.h"
#include "raw_uring_buffers.h"

#include <cstdint>

namespace peer {

struct Connection;

// Buffers, and the connections that found none.
struct Lane {
  Buffers buffers;
  Connection* firstParked = nullptr;
  Connection* lastParked = nullptr;
};

struct alignas(8) Connection : Timer {
  Connection(int fd, Lane& in, Lane& out) : fd(fd), in(in), out(out) {}

  int fd;
  Lane& in;                      // What is received here lies in its buffers,
  Connection* to = nullptr;      // and goes there: back, or to the other end of a relay.
  Lane& out;                     // What is sent here lies in its buffers,
  Queue queue;                   // and waits here.
  Connection* behind = nullptr;  // Among the parked.
  bool receiving = false;
  bool sending = false;
  bool connecting = false;
  bool parked = false;
  bool moreWaits = true;  // Try at once; otherwise wait for readiness first.
  bool inputEnded = false;
  bool finishing = false;  // Nothing more will be queued.
  bool finished = false;   // And all of it was sent.
  bool closing = false;
  std::uint64_t sent = 0;  // By a source.
  Work work;
};

}  // namespace peer
