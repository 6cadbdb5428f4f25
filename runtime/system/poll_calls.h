// PollCalls: readiness, and waking a loop from another thread. The one header of the seam with
// <sys/epoll.h>, which is for the families only.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/time.h>

#include <sys/epoll.h>

#include <optional>
#include <span>

namespace penstock {

// See runtime/system/system_calls.h.
class PENSTOCK_API PollCalls {
 public:
  virtual ~PollCalls() = default;

  virtual int epollCreate() noexcept;
  virtual int epollCtl(int epoll, int operation, int fd, epoll_event* event) noexcept;
  // Waits at most `timeout`, without limit if there is none. Nanoseconds where the kernel has
  // epoll_pwait2 (5.11), else rounded up to milliseconds: a timer may be late, never early.
  virtual int epollWait(int epoll, std::span<epoll_event> events,
                        std::optional<Duration> timeout) noexcept;

  virtual int eventfd() noexcept;  // Non-blocking, close-on-exec.
  virtual void signalEvent(int fd) noexcept;
  virtual void clearEvent(int fd) noexcept;
};

PENSTOCK_API PollCalls& pollCalls() noexcept;

}  // namespace penstock
