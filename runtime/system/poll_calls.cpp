#include <penstock/runtime/system/poll_calls.h>
#include <penstock/runtime/system/result_of.h>

#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <cstdint>

namespace penstock {
namespace {

int epollWaitMs(int epoll, std::span<epoll_event> events, std::optional<Duration> timeout) {
  int ms = -1;
  if (timeout) {
    const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(*timeout).count();
    ms = static_cast<int>(std::clamp<std::int64_t>(rounded, 0, INT_MAX));
  }
  return resultOf(::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), ms));
}

}  // namespace

int PollCalls::epollCreate() noexcept { return resultOf(::epoll_create1(EPOLL_CLOEXEC)); }
int PollCalls::epollCtl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  return resultOf(::epoll_ctl(epoll, operation, fd, event));
}
int PollCalls::epollWait(int epoll, std::span<epoll_event> events,
                         std::optional<Duration> timeout) noexcept {
  static std::atomic<bool> lacksPwait2{false};  // glibc of the oldest systems has no wrapper.
  if (!timeout || *timeout <= Duration::zero() || lacksPwait2.load(std::memory_order_relaxed)) {
    return epollWaitMs(epoll, events, timeout);
  }
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*timeout);
  const timespec limit{static_cast<time_t>(seconds.count()),
                       static_cast<long>((*timeout - seconds).count())};
  const long got = ::syscall(SYS_epoll_pwait2, epoll, events.data(),
                             static_cast<int>(events.size()), &limit, nullptr, 0);
  if (got >= 0) return static_cast<int>(got);
  if (errno != ENOSYS && errno != EPERM) return -errno;  // A seccomp filter may say EPERM.
  lacksPwait2.store(true, std::memory_order_relaxed);
  return epollWaitMs(epoll, events, timeout);
}

int PollCalls::eventfd() noexcept { return resultOf(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }
void PollCalls::signalEvent(int fd) noexcept {
  const int savedErrno = errno;  // Signal handlers come here too.
  const std::uint64_t one = 1;
  while (::write(fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
  errno = savedErrno;
}
void PollCalls::clearEvent(int fd) noexcept {
  std::uint64_t count;
  while (::read(fd, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

}  // namespace penstock
