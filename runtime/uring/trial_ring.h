// TrialRing: a small ring of the kernel's to try one thing with.
#pragma once

#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/uring/ring_calls.h>

#include <liburing.h>
#include <sys/socket.h>

#include <array>

namespace penstock::uring {

// A small ring for one question, gone with it.
class TrialRing {
 public:
  explicit TrialRing(unsigned flags) noexcept {
    io_uring_params params{};
    params.flags = flags;
    params.cq_entries = 2 * kEntries;  // Looked at only with IORING_SETUP_CQSIZE.
    error_ = calls_.setup(kEntries, ring_, params);
  }
  ~TrialRing() {
    if (error_ == 0) calls_.exit(ring_);
  }
  TrialRing(const TrialRing&) = delete;
  TrialRing& operator=(const TrialRing&) = delete;

  int error() const noexcept { return error_; }
  io_uring& ring() noexcept { return ring_; }

  // Submits one entry and gives its first completion; res is the error if none came.
  template <class Prepare>
  io_uring_cqe ask(Prepare prepare) noexcept {
    prepare(*io_uring_get_sqe(&ring_));
    io_uring_submit(&ring_);
    return next();
  }

  io_uring_cqe next() noexcept {
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

 private:
  static constexpr unsigned kEntries = 8;
  static constexpr long long kPatienceSeconds = 1;

  RingCalls calls_;
  io_uring ring_{};
  int error_;
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
