// TrialRing: a small ring of the kernel's to try one thing with.
#pragma once

#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/uring/probe_operations.h>
#include <penstock/runtime/uring/ring_calls.h>

#include <liburing.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdint>

namespace penstock::uring {

// A small ring for questions that are asked one after the other, each told from the others by its
// user_data. It waits a little for locked memory that other rings have given back.
class TrialRing {
 public:
  // The best kind of ring that there is.
  TrialRing() noexcept {
    constexpr unsigned kDeferred = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    setUp(kEssentialSetup | kDeferred);
    defersTaskrun_ = error_ == 0;
    if (error_ == -EINVAL) setUp(kEssentialSetup);
  }

  // With just `flags`, to try those.
  explicit TrialRing(unsigned flags) noexcept { setUp(flags); }

  ~TrialRing() {
    if (error_ == 0) calls_.exit(ring_);
  }
  TrialRing(const TrialRing&) = delete;
  TrialRing& operator=(const TrialRing&) = delete;

  int error() const noexcept { return error_; }
  bool defersTaskrun() const noexcept { return defersTaskrun_; }
  io_uring& ring() noexcept { return ring_; }

  // Prepares one entry, to be submitted with the next question; gives its user_data.
  template <class Prepare>
  std::uint64_t prepare(Prepare prepare) noexcept {
    io_uring_sqe& entry = *io_uring_get_sqe(&ring_);
    prepare(entry);
    entry.user_data = ++asked_;
    return asked_;
  }

  // Submits one entry and gives its first completion; res is the error if none came.
  template <class Prepare>
  io_uring_cqe ask(Prepare prepareEntry) noexcept {
    const std::uint64_t question = prepare(prepareEntry);
    io_uring_submit(&ring_);
    return next(question);
  }

  // The next completion of that question. Those of others, which nobody awaits any more, are
  // dropped.
  io_uring_cqe next(std::uint64_t question) noexcept {
    io_uring_cqe answer = nextOfAny();
    while (answer.res != -ETIME && answer.user_data != question) answer = nextOfAny();
    return answer;
  }

  // The next completion; of no question and with the error in res if none comes.
  io_uring_cqe nextOfAny() noexcept {
    io_uring_cqe answer{};
    io_uring_cqe* completion = nullptr;
    __kernel_timespec limit{kPatienceSeconds, 0};
    const int result = io_uring_wait_cqe_timeout(&ring_, &completion, &limit);
    if (result < 0) {
      answer.res = result;
      return answer;
    }
    answer = *completion;
    io_uring_cqe_seen(&ring_, completion);
    return answer;
  }

  // Cancels a question that goes on answering, and waits for its last completion.
  void end(std::uint64_t question) noexcept {
    prepare([&](io_uring_sqe& entry) { io_uring_prep_cancel64(&entry, question, 0); });
    io_uring_submit(&ring_);
    io_uring_cqe last = next(question);
    while (last.flags & IORING_CQE_F_MORE) last = next(question);
  }

 private:
  static constexpr unsigned kEntries = 8;
  static constexpr long long kPatienceSeconds = 1;

  void setUp(unsigned flags) noexcept {
    MemoryPatience patience;
    do {
      io_uring_params params{};
      params.flags = flags;
      params.cq_entries = 2 * kEntries;  // Looked at only with IORING_SETUP_CQSIZE.
      error_ = calls_.setup(kEntries, ring_, params);
    } while (error_ == -ENOMEM && patience.wait());
  }

  RingCalls calls_;
  io_uring ring_{};
  int error_ = 0;
  bool defersTaskrun_ = false;
  std::uint64_t asked_ = 0;
};

// Two connected UNIX stream sockets; empty if there are none to be had.
struct Pair {
  Pair() noexcept {
    std::array<int, 2> fds{-1, -1};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds.data()) < 0) return;
    near.reset(fds[0]);
    far.reset(fds[1]);
  }
  OwnedFd near;
  OwnedFd far;
};

}  // namespace penstock::uring
