// Stats: what a loop has done and has waiting.
#pragma once

#include <cstddef>
#include <cstdint>

namespace penstock {

// Plain integers that the loop's own thread counts; Reactor::stats() copies them. Others ask by
// callFromThread().
struct Stats {
  // Since the reactor was made.
  std::uint64_t turns = 0;
  std::uint64_t events = 0;    // What the kernel told: events of epoll, completions of io_uring.
  std::uint64_t bytesIn = 0;   // Received of all connections, spliced bytes too.
  std::uint64_t bytesOut = 0;  // Taken by the kernel, the same.
  std::uint64_t accepted = 0;
  std::uint64_t acceptsShed = 0;  // Of these, closed at once, as descriptors were short.

  // Now.
  std::size_t open = 0;        // Connections, listeners, connects, watches and the like.
  std::size_t ending = 0;      // Over, and not yet let go of by the kernel.
  std::size_t writing = 0;     // Write at the end of the turn, or after a pause for want of memory.
  std::size_t deferred = 0;    // Go on in the next turn.
  std::size_t starved = 0;     // Wait for a buffer to receive into.
  std::size_t buffersOut = 0;  // Receive buffers that the kernel has, or connections.
};

}  // namespace penstock
