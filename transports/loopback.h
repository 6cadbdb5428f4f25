// Loopback: two transports joined in memory, for tests and for talking within a process.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/transport.h>

#include <memory>
#include <utility>

namespace penstock {

class Reactor;

// Joins two protocols: what one writes the other receives, never from inside write(). There is no
// descriptor and no buffer in between: bytes that the other side does not want yet stay with the
// writer, whose producer is then paused as on any transport. Half-close, close and abort are those
// of a UNIX socket: an end comes after the bytes before it and waits while reading is paused, a
// reset (ECONNRESET) does not wait, and writing to a side that is gone is EPIPE. Bytes for a side
// that has called loseConnection() are dropped.
//
// Both protocols hear connectionMade() before this returns, `first` first. The references are good
// as those of every transport; one whose connectionMade() threw is good until the turn ends.
// Loop thread only. Twisted: protocols.loopback.loopbackAsync.
PENSTOCK_API std::pair<Transport&, Transport&> loopbackPair(Reactor& reactor,
                                                            std::unique_ptr<Protocol> first,
                                                            std::unique_ptr<Protocol> second);

}  // namespace penstock
