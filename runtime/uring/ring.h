// Ring: one io_uring, with what this kernel can do; nothing submitted is ever dropped.
#pragma once

#include <penstock/runtime/time.h>
#include <penstock/runtime/uring/ring_calls.h>

#include <liburing.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <vector>

namespace penstock::uring {

// For one thread. Neither copied nor moved.
class Ring {
 public:
  // Throws std::system_error if the kernel refuses even the plainest ring of kLeastEntries, or the
  // call that enters it. Where it binds a ring to one thread, that is the first that enters this.
  Ring(RingCalls& calls, std::uint32_t features);
  ~Ring();
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  // The next submission entry, cleared. A full queue is handed to the kernel first. The entry's
  // place in the queue is written to `slot`, which stays its own until it was submitted.
  io_uring_sqe& nextEntry(unsigned* slot = nullptr);

  // Submits what is prepared and waits for `waitFor` completions, at most `timeout`. Throws
  // std::system_error if the ring is unusable, as from a wrong thread or a forked child.
  void enter(unsigned waitFor, std::optional<Duration> timeout);

  // Submits what is prepared, without running or waiting for completions.
  void submit();

  // From now on the kernel is not entered any more, and what is prepared goes nowhere.
  void detach() noexcept { detached_ = true; }
  bool detached() const noexcept { return detached_; }

  std::size_t completions() const noexcept;  // That wait to be reaped.
  bool hasCompletions() const noexcept { return completions() > 0; }

  // Whether entries were prepared that the kernel has not been given.
  bool hasPrepared() const noexcept { return io_uring_sq_ready(&ring_) > 0; }

  // Takes at most `most` completions, oldest first, each before `complete(cqe)` is called for it.
  template <class Complete>
  void reap(unsigned most, Complete complete) {
    io_uring_cqe completion;
    while (most-- > 0 && take(completion)) complete(completion);
  }

  // Takes those of the completions that are there and for which `isWanted(cqe)`, in their order.
  template <class Predicate>
  std::vector<io_uring_cqe> takeOut(Predicate isWanted) {
    spill();
    std::vector<io_uring_cqe> wanted;
    const auto waiting = spilled_.begin() + static_cast<std::ptrdiff_t>(spilledTaken_);
    std::copy_if(waiting, spilled_.end(), std::back_inserter(wanted), isWanted);
    spilled_.erase(std::remove_if(waiting, spilled_.end(), isWanted), spilled_.end());
    return wanted;
  }

  unsigned entries() const noexcept { return ring_.sq.ring_entries; }
  int fd() const noexcept { return ring_.ring_fd; }
  unsigned setupFlags() const noexcept { return setupFlags_; }
  bool has(Feature feature) const noexcept { return (features_ & feature) != 0; }

  int registerBufferRing(io_uring_buf_reg& registration) noexcept;

  // From now on the kernel signals `event` when completions came or are ready to be run.
  int registerEvent(int event) noexcept;

 private:
  static constexpr unsigned kEntries = 1024;
  static constexpr unsigned kLeastEntries = 64;  // Little locked memory must do.
  static constexpr unsigned kCompletionsPerEntry = 4;

  // Kernel threads for what cannot be done without blocking, of each of the two kinds. Without a
  // limit there is one for each such request.
  static constexpr unsigned kMostWorkers = 4;

  int trySetup(unsigned entries, unsigned flags) noexcept;
  int setup() noexcept;
  int setupOnce() noexcept;
  int tryEntering() noexcept;
  void limitWorkers() noexcept;
  void enable();
  unsigned prepared() noexcept;
  void handOver(unsigned waitFor, unsigned flags, std::optional<Duration> timeout);
  void addTimeout(Duration timeout);
  bool take(io_uring_cqe& completion) noexcept;
  void spill() noexcept;
  bool spillOne(const io_uring_cqe& completion) noexcept;

  RingCalls& calls_;
  std::uint32_t features_;
  io_uring ring_{};
  unsigned setupFlags_ = 0;
  bool enabled_ = true;
  bool detached_ = false;
  __kernel_timespec waitLimit_{};      // Of the present wait, where a request has to keep it.
  std::vector<io_uring_cqe> spilled_;  // Taken from a full completion queue to make it go on.
  std::size_t spilledTaken_ = 0;
};

}  // namespace penstock::uring
