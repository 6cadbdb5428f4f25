// The system calls of the library, in one place that a test can stand in for.
#pragma once

#include <penstock/runtime/bytes.h>
#include <penstock/runtime/time.h>

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <optional>
#include <span>

namespace penstock {

// Each call is the one of its name (man 2), with EINTR left to the caller. The result is that
// of the call, or -errno: nothing here uses the errno variable. One virtual call costs 2 ns, the
// cheapest of these system calls over 100. The ring of io_uring has a seam of its own,
// runtime/uring/ring_calls.h.
class SystemCalls {
 public:
  virtual ~SystemCalls() = default;

  // Naming and joining sockets.
  virtual int socket(int domain, int type, int protocol) noexcept;
  virtual int bind(int fd, const sockaddr* address, socklen_t length) noexcept;
  virtual int listen(int fd, int backlog) noexcept;
  virtual int connect(int fd, const sockaddr* address, socklen_t length) noexcept;
  virtual int accept4(int fd, sockaddr* peer, socklen_t* length, int flags) noexcept;
  virtual int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept;
  virtual int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept;
  virtual int setsockopt(int fd, int level, int name, const void* value, socklen_t n) noexcept;
  virtual int getsockopt(int fd, int level, int name, void* value, socklen_t* n) noexcept;
  virtual int setNonBlocking(int fd, bool nonBlocking) noexcept;  // fcntl(2), O_NONBLOCK.
  virtual int setCloseOnExec(int fd) noexcept;                    // fcntl(2), FD_CLOEXEC.
  virtual int shutdown(int fd, int how) noexcept;
  virtual int close(int fd) noexcept;

  // Moving bytes.
  virtual ssize_t recv(int fd, MutableBytes into, int flags) noexcept;
  virtual ssize_t sendmsg(int fd, std::span<const iovec> from, int flags) noexcept;

  // Moving bytes between descriptors inside the kernel. Both ends of a pipe are non-blocking.
  virtual int pipe(int (&fds)[2]) noexcept;
  virtual int setPipeSize(int pipe, int size) noexcept;  // fcntl(2), F_SETPIPE_SZ.
  virtual ssize_t splice(int from, int to, std::size_t most) noexcept;
  virtual ssize_t read(int fd, MutableBytes into) noexcept;

  // Readiness.
  virtual int epollCreate() noexcept;
  virtual int epollCtl(int epoll, int operation, int fd, epoll_event* event) noexcept;
  // Waits at most `timeout`, without limit if there is none. Nanoseconds where the kernel has
  // epoll_pwait2 (5.11), else rounded up to milliseconds: a timer may be late, never early.
  virtual int epollWait(int epoll, std::span<epoll_event> events,
                        std::optional<Duration> timeout) noexcept;

  // Waking a loop from another thread.
  virtual int eventfd() noexcept;  // Non-blocking, close-on-exec.
  virtual void signalEvent(int fd) noexcept;
  virtual void clearEvent(int fd) noexcept;

  virtual int openReserve() noexcept;  // A descriptor held back for when none is left.
  virtual TimePoint now() noexcept;
};

// Those in use by this process: the kernel's, or what a test put in their place.
SystemCalls& systemCalls() noexcept;

// Whether `fd` is a UNIX socket; yes where it cannot be told, since those need more care.
bool isUnixSocket(int fd) noexcept;

// Puts `calls` in place (null: the kernel's) and returns what was there. Before any reactor.
SystemCalls* replaceSystemCalls(SystemCalls* calls) noexcept;

}  // namespace penstock
