// SocketCalls: naming and joining sockets, and moving bytes through them.
#pragma once

#include <penstock/runtime/bytes.h>
#include <penstock/runtime/export.h>

#include <sys/socket.h>
#include <sys/uio.h>

#include <span>

namespace penstock {

// See runtime/system/system_calls.h.
class PENSTOCK_API SocketCalls {
 public:
  virtual ~SocketCalls() = default;

  virtual int socket(int domain, int type, int protocol) noexcept;
  virtual int bind(int fd, const sockaddr* address, socklen_t length) noexcept;
  virtual int listen(int fd, int backlog) noexcept;
  virtual int connect(int fd, const sockaddr* address, socklen_t length) noexcept;
  virtual int accept4(int fd, sockaddr* peer, socklen_t* length, int flags) noexcept;
  virtual int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept;
  virtual int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept;
  virtual int setsockopt(int fd, int level, int name, const void* value, socklen_t n) noexcept;
  virtual int getsockopt(int fd, int level, int name, void* value, socklen_t* n) noexcept;
  virtual int shutdown(int fd, int how) noexcept;

  virtual ssize_t recv(int fd, MutableBytes into, int flags) noexcept;
  virtual ssize_t sendmsg(int fd, std::span<const iovec> from, int flags) noexcept;
};

PENSTOCK_API SocketCalls& socketCalls() noexcept;

// Whether `fd` is a UNIX socket; yes where it cannot be told, since those need more care.
bool isUnixSocket(int fd) noexcept;

}  // namespace penstock
