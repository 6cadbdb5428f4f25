#include <penstock/runtime/system/system_calls.h>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdint>

namespace penstock {
namespace {

template <class Result>
Result resultOf(Result result) noexcept {
  return result < 0 ? static_cast<Result>(-errno) : result;
}

std::atomic<SystemCalls*> replacement{nullptr};

int epollWaitMs(int epoll, std::span<epoll_event> events, std::optional<Duration> timeout) {
  int ms = -1;
  if (timeout) {
    const auto rounded = std::chrono::ceil<std::chrono::milliseconds>(*timeout).count();
    ms = static_cast<int>(std::clamp<std::int64_t>(rounded, 0, INT_MAX));
  }
  return resultOf(::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), ms));
}

}  // namespace

int SystemCalls::socket(int domain, int type, int protocol) noexcept {
  return resultOf(::socket(domain, type, protocol));
}
int SystemCalls::bind(int fd, const sockaddr* address, socklen_t length) noexcept {
  return resultOf(::bind(fd, address, length));
}
int SystemCalls::listen(int fd, int backlog) noexcept { return resultOf(::listen(fd, backlog)); }
int SystemCalls::connect(int fd, const sockaddr* address, socklen_t length) noexcept {
  return resultOf(::connect(fd, address, length));
}
int SystemCalls::accept4(int fd, sockaddr* peer, socklen_t* length, int flags) noexcept {
  return resultOf(::accept4(fd, peer, length, flags));
}
int SystemCalls::getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
  return resultOf(::getsockname(fd, address, length));
}
int SystemCalls::getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
  return resultOf(::getpeername(fd, address, length));
}
int SystemCalls::setsockopt(int fd, int level, int name, const void* value, socklen_t n) noexcept {
  return resultOf(::setsockopt(fd, level, name, value, n));
}
int SystemCalls::getsockopt(int fd, int level, int name, void* value, socklen_t* n) noexcept {
  return resultOf(::getsockopt(fd, level, name, value, n));
}
int SystemCalls::setNonBlocking(int fd, bool nonBlocking) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  const int wanted = nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  return wanted == flags ? 0 : resultOf(::fcntl(fd, F_SETFL, wanted));
}
int SystemCalls::setCloseOnExec(int fd) noexcept {
  return resultOf(::fcntl(fd, F_SETFD, FD_CLOEXEC));
}
int SystemCalls::shutdown(int fd, int how) noexcept { return resultOf(::shutdown(fd, how)); }
int SystemCalls::close(int fd) noexcept { return resultOf(::close(fd)); }

ssize_t SystemCalls::recv(int fd, MutableBytes into, int flags) noexcept {
  return resultOf(::recv(fd, into.data(), into.size(), flags));
}
ssize_t SystemCalls::sendmsg(int fd, std::span<const iovec> from, int flags) noexcept {
  if (from.size() == 1) return resultOf(::send(fd, from[0].iov_base, from[0].iov_len, flags));
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(from.data());
  message.msg_iovlen = from.size();
  return resultOf(::sendmsg(fd, &message, flags));
}

int SystemCalls::pipe(int (&fds)[2]) noexcept {
  return resultOf(::pipe2(fds, O_NONBLOCK | O_CLOEXEC));
}
int SystemCalls::setPipeSize(int pipe, int size) noexcept {
  return resultOf(::fcntl(pipe, F_SETPIPE_SZ, size));
}
ssize_t SystemCalls::splice(int from, int to, std::size_t most) noexcept {
  return resultOf(::splice(from, nullptr, to, nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}
ssize_t SystemCalls::read(int fd, MutableBytes into) noexcept {
  return resultOf(::read(fd, into.data(), into.size()));
}

int SystemCalls::epollCreate() noexcept { return resultOf(::epoll_create1(EPOLL_CLOEXEC)); }
int SystemCalls::epollCtl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  return resultOf(::epoll_ctl(epoll, operation, fd, event));
}
int SystemCalls::epollWait(int epoll, std::span<epoll_event> events,
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

int SystemCalls::eventfd() noexcept { return resultOf(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }
void SystemCalls::signalEvent(int fd) noexcept {
  const int savedErrno = errno;  // Signal handlers come here too.
  const std::uint64_t one = 1;
  while (::write(fd, &one, sizeof one) < 0 && errno == EINTR) {
  }
  errno = savedErrno;
}
void SystemCalls::clearEvent(int fd) noexcept {
  std::uint64_t count;
  while (::read(fd, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

int SystemCalls::openReserve() noexcept { return resultOf(::open("/dev/null", O_CLOEXEC)); }
TimePoint SystemCalls::now() noexcept { return Clock::now(); }

SystemCalls& systemCalls() noexcept {
  static SystemCalls kernel;
  SystemCalls* other = replacement.load(std::memory_order_acquire);
  return other ? *other : kernel;
}

bool isUnixSocket(int fd) noexcept {
  int domain = AF_UNIX;
  socklen_t length = sizeof domain;
  systemCalls().getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length);
  return domain == AF_UNIX;
}

SystemCalls* replaceSystemCalls(SystemCalls* calls) noexcept {
  return replacement.exchange(calls, std::memory_order_acq_rel);
}

}  // namespace penstock
