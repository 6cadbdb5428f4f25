// relay(): two transports joined, each the other's producer and consumer.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/parts/unique_function.h>
#include <penstock/runtime/time.h>
#include <penstock/runtime/transport.h>

#include <cstdint>
#include <memory>
#include <system_error>

namespace penstock {

class RelayState;

// Sees what a relay passes on. It must outlive both transports. Loop thread only.
class RelayTap {
 public:
  // `bytes` of `from` are about to be written to the other side. They are valid during the call.
  virtual void passing(Transport& from, Bytes bytes) = 0;

 protected:
  ~RelayTap() = default;
};

struct RelayOptions {
  // Sees every byte, which must then come to user space. Null: nobody does.
  RelayTap* tap = nullptr;

  // Resets both sides when for so long nothing has passed in either direction; the end is
  // std::errc::timed_out then. Zero: never.
  Duration idleTimeout = Duration::zero();

  // The most that passes in each direction, on average, in bytes; a tenth of a second's worth may
  // pass at once, or one receive. Zero: no limit.
  std::uint64_t bytesPerSecond = 0;

  // Called once when both transports are lost, or taken over by other protocols: with nothing if
  // both finished cleanly or were taken over, else with what ended the relay first. May do
  // anything; what it throws is logged.
  UniqueFunction<void(std::error_code why)> onEnd = {};
};

// What relay() gives: a small value, copied freely and kept as long as you like; once the relay is
// over, active() is false, the counts stay, and the rest does nothing. Loop thread only.
class PENSTOCK_API Relay {
 public:
  Relay() noexcept = default;

  bool active() const noexcept;

  // Bytes taken from the first transport for the second, and the other way round. They are
  // delivered unless the relay ends with an error.
  std::uint64_t bytesFromFirst() const noexcept;
  std::uint64_t bytesFromSecond() const noexcept;

  // Takes nothing more, delivers what was taken, and closes both sides then. May call
  // connectionLost() of a side that has nothing to deliver.
  void stop();

  // Resets both sides, in the next turn.
  void abort();

 private:
  friend Relay relay(Transport&, Transport&, RelayOptions);
  explicit Relay(std::shared_ptr<RelayState> state) noexcept : state_(std::move(state)) {}

  std::shared_ptr<RelayState> state_;
};

// From now on what `a` receives is written to `b`, and the other way round. A slow side stops the
// other one's reading, so that at most the high-water mark and one read wait in memory for each
// direction. The end of input of one side half-closes the other once all was passed on; when both
// have ended, both close. A reset or another error of one side resets the other: a stream that is
// not complete never ends cleanly.
//
// A side that is told to close or half-close takes nothing more but what was received for it by
// then, and ends when that is written, the other one likewise; an abort drops it. A bare
// loseConnection() waits, as ever, for its producer, and so until the other side has ended:
// stopConsuming() does not.
//
// Bulk traffic that nobody taps does not come to user space at all: it is spliced from socket to
// socket, in both families, and at most one pipe (1 MiB) holds what a direction has on its way.
// Transports without a descriptor are copied between, and so is everything while splicing cannot go
// on: out of descriptors, around urgent data (which is dropped, as everywhere), and for good where
// a filter of system calls forbids it.
//
// The protocols of both are kept and hear nothing but connectionLost() any more. Replacing the
// protocol of a side takes that side out of the relay, with all that was taken for it; nothing is
// taken from the other side any more, which may be taken out in the same turn and is reset
// otherwise. The delivery limit of a side that is taken out is the default again.
//
// Both transports must be connected, of one reactor, without a registered producer, and their input
// not ended; else std::logic_error, and std::invalid_argument for a negative timeout. Either may be
// paused: both are resumed. Loop thread only. Twisted: protocols.portforward.
PENSTOCK_API Relay relay(Transport& a, Transport& b, RelayOptions options = {});

}  // namespace penstock
