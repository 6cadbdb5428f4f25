// Sockets for tests, made through the seam that a simulated kernel can stand in for.
#pragma once

#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/reactor.h>
#include <penstock/runtime/socket_address.h>

#include <sys/socket.h>

#include <cstddef>
#include <functional>
#include <string_view>

namespace penstock::testing {

enum class SocketFamily { kTcp, kUnix };

// 127.0.0.1 with a port that the kernel picks, or an abstract UNIX name that it picks.
SocketAddress anyAddress(SocketFamily family);

// All of them throw std::system_error when the kernel refuses. TCP sockets get TCP_NODELAY, and so
// do those accepted from them: no test is to wait for a delayed acknowledgement.
OwnedFd makeSocket(Reactor& reactor, SocketFamily family);
OwnedFd makeListeningSocket(Reactor& reactor, SocketFamily family, int backlog = 128);
SocketAddress addressOf(int fd);

// Makes the kernel take about `bytes` at a time from a writer, so that writes are cut short.
void setSendBuffer(int fd, int bytes);
void setReceiveBuffer(int fd, int bytes);

// Buffers that nobody sets grow with what passes through them, to many megabytes, and how far
// depends on the machine and on what it did before. A test that is to write more than the kernel
// takes sets these on both ends before they are connected: small, and of the same size for ever.
void useSmallBuffers(int fd);

// More than a connection with small buffers takes from a writer whose reader reads nothing.
constexpr std::size_t kMoreThanSmallBuffers = 1 << 20;

// What is done to a descriptor before it is connected or listens, as useSmallBuffers.
using Prepare = std::function<void(int fd)>;

// Two connected UNIX sockets of the real kernel, which close when programs are executed.
struct SocketPair {
  explicit SocketPair(int flags = 0);  // SOCK_NONBLOCK.

  void sendFromFar(std::string_view text) const;

  OwnedFd near, far;
};

// A blocking socket connected to `to`: a peer that is not Penstock. Real kernels only.
OwnedFd connectRaw(const SocketAddress& to, const Prepare& prepare = {});

}  // namespace penstock::testing
