// Faults: what goes wrong in a simulated kernel, and how often.
#pragma once

namespace penstock::sim {

// Each is the probability, from 0 to 1, that it happens where it can.
struct Faults {
  double shortRead = 0;     // What was sent arrives in parts.
  double shortWrite = 0;    // A send takes only a part, even with MSG_WAITALL.
  double again = 0;         // EAGAIN although the descriptor was ready a moment ago.
  double interrupted = 0;   // EINTR.
  double noBuffers = 0;     // ENOBUFS, from sends and from completions of receives.
  double reset = 0;         // A connection is reset while it is used.
  double delay = 0;         // Bytes, connects and completions are some steps late.
  double reorder = 0;       // Events and completions of different operations change places.
  double lostCancel = 0;    // A cancellation comes too late.
  double multishotEnd = 0;  // A multishot request ends without a reason.
  double copied = 0;        // A send without a copy has made one after all.
  double busy = 0;  // Entering the ring fails with EBUSY or EAGAIN before it takes anything.

  static Faults none() { return {}; }

  // Those that the library hides from its users: a service must not notice them.
  static Faults benign() {
    Faults faults;
    faults.shortRead = faults.shortWrite = faults.delay = faults.reorder = 0.2;
    faults.again = faults.interrupted = faults.noBuffers = faults.multishotEnd = 0.05;
    faults.lostCancel = faults.copied = 0.5;
    faults.busy = 0.02;
    return faults;
  }

  // Connections are lost besides.
  static Faults hostile() {
    Faults faults = benign();
    faults.reset = 0.01;
    return faults;
  }
};

// The kinds of calls for which a single fault can be ordered; whichever family makes them. Only
// io_uring cancels.
enum class Call { kConnect, kAccept, kReceive, kSend, kCancel };

}  // namespace penstock::sim
