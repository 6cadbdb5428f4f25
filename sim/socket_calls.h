// sim::SocketCalls: the synchronous calls on simulated sockets.
#pragma once

#include <penstock/runtime/system/socket_calls.h>
#include <penstock/sim/machine.h>

#include <optional>
#include <span>

namespace penstock::sim {

// None of them blocks, whatever the descriptor's mode: a test that receives by itself gets -EAGAIN
// and turns the loop.
class SocketCalls final : public penstock::SocketCalls {
 public:
  explicit SocketCalls(Machine& machine) noexcept : machine_(machine) {}

  int socket(int domain, int type, int protocol) noexcept override;
  int bind(int fd, const sockaddr* address, socklen_t length) noexcept override;
  int listen(int fd, int backlog) noexcept override;
  int connect(int fd, const sockaddr* address, socklen_t length) noexcept override;
  int accept4(int fd, sockaddr* peer, socklen_t* length, int flags) noexcept override;
  int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept override;
  int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept override;
  int setsockopt(int fd, int level, int name, const void* value, socklen_t n) noexcept override;
  int getsockopt(int fd, int level, int name, void* value, socklen_t* n) noexcept override;
  int shutdown(int fd, int how) noexcept override;
  ssize_t recv(int fd, MutableBytes into, int flags) noexcept override;
  ssize_t sendmsg(int fd, std::span<const iovec> from, int flags) noexcept override;

 private:
  using Real = penstock::SocketCalls;

  std::optional<ssize_t> disturbReceive(Socket& socket);
  std::optional<ssize_t> disturbSend(Socket& socket, std::span<const iovec> from);

  Machine& machine_;
};

}  // namespace penstock::sim
