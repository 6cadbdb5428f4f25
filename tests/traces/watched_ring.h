// WatchedRing: what of a connection is in flight on the simulated ring.
#pragma once

#include <penstock/tests/traces/application.h>

#include <penstock/runtime/uring/ring_calls.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>

namespace penstock::traces {

// Hands the calls on to the ring below, and reads its two queues on the way. A write of nothing,
// which is a NOP, is made a send of nothing there: when it completes is for the recording to say,
// too.
class WatchedRing final : public uring::RingCalls {
 public:
  // Stands in for what is in place.
  WatchedRing(Application& application, int descriptor);
  ~WatchedRing() override;

  struct Write {
    std::uint64_t userData;
    std::size_t length;
    bool isNew = true;  // Not asked for yet.
  };

  bool readInFlight() const noexcept { return read_.has_value(); }
  bool writeInFlight() const noexcept { return write_.has_value(); }
  std::size_t writeLength() const noexcept { return write_ ? write_->length : 0; }

  // Whether a write of bytes was submitted since the last call and is in flight.
  bool takeNewWrite();

  // Cancels once more what was cancelled and is in flight all the same, at the next turn.
  void cancelAgain() noexcept { cancelsAgain_ = true; }

  int setup(unsigned entries, io_uring& ring, io_uring_params& params) noexcept override;
  void exit(io_uring& ring) noexcept override { below_->exit(ring); }
  int enter(io_uring& ring, unsigned submit, unsigned waitFor, unsigned flags,
            std::optional<Duration> timeout) noexcept override;
  int registerWith(io_uring& ring, unsigned opcode, void* argument, unsigned n) noexcept override;
  std::uint32_t features() noexcept override { return below_->features(); }

 private:
  void noteSubmissions(io_uring& ring);
  void noteSubmission(io_uring_sqe& entry);
  void noteCompletions(const io_uring& ring);
  unsigned submitCancels(io_uring& ring);

  Application& application_;
  uring::RingCalls* below_;
  const int descriptor_;
  unsigned submitted_ = 0;  // As the queues count.
  unsigned completed_ = 0;
  std::optional<std::uint64_t> read_;
  std::optional<Write> write_;
  std::set<std::uint64_t> cancelled_;
  bool cancelsAgain_ = false;
};

}  // namespace penstock::traces
