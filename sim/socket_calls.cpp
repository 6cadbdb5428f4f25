#include <penstock/sim/socket_calls.h>

#include <cerrno>
#include <memory>
#include <utility>

namespace penstock::sim {

int SocketCalls::socket(int domain, int type, int protocol) noexcept {
  constexpr int kFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  const bool simulates = domain == AF_INET || domain == AF_INET6 || domain == AF_UNIX;
  if (!simulates || (type & ~kFlags) != SOCK_STREAM) {
    return Real::socket(domain, type, protocol);
  }
  const auto lock = machine_.lock();
  auto made = std::make_shared<Socket>(machine_.world, domain);
  made->nonBlocking = (type & SOCK_NONBLOCK) != 0;
  return machine_.install(std::move(made));
}

int SocketCalls::bind(int fd, const sockaddr* address, socklen_t length) noexcept {
  if (!Machine::isSimulated(fd)) return Real::bind(fd, address, length);
  const auto lock = machine_.lock();
  const auto socket = machine_.socket(fd);
  return socket ? machine_.network.bind(socket, address, length) : -EBADF;
}

int SocketCalls::listen(int fd, int backlog) noexcept {
  if (!Machine::isSimulated(fd)) return Real::listen(fd, backlog);
  const auto lock = machine_.lock();
  const auto socket = machine_.socket(fd);
  return socket ? machine_.network.listen(socket, backlog) : -EBADF;
}

int SocketCalls::connect(int fd, const sockaddr* address, socklen_t length) noexcept {
  if (!Machine::isSimulated(fd)) return Real::connect(fd, address, length);
  const auto lock = machine_.lock();
  const auto socket = machine_.socket(fd);
  return socket ? machine_.network.connect(socket, address, length) : -EBADF;
}

int SocketCalls::accept4(int fd, sockaddr* peer, socklen_t* length, int flags) noexcept {
  if (!Machine::isSimulated(fd)) return Real::accept4(fd, peer, length, flags);
  const auto lock = machine_.lock();
  const auto socket = machine_.socket(fd);
  if (!socket) return -EBADF;
  World& world = machine_.world;
  if (!socket->exempt && world.chance(world.faults().interrupted)) return -EINTR;
  return machine_.accept(*socket, peer, length, flags);
}

int SocketCalls::getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
  if (!Machine::isSimulated(fd)) return Real::getsockname(fd, address, length);
  const auto lock = machine_.lock();
  const auto socket = machine_.socket(fd);
  return socket ? socket->copyName(socket->local, address, length) : -EBADF;
}

int SocketCalls::getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
  if (!Machine::isSimulated(fd)) return Real::getpeername(fd, address, length);
  const auto lock = machine_.lock();
  const auto socket = machine_.socket(fd);
  if (!socket) return -EBADF;
  const bool lost = (socket->readiness() & EPOLLHUP) && !socket->isUnix();
  if (socket->state() != Socket::State::kConnected || lost) return -ENOTCONN;
  return socket->copyName(socket->remote, address, length);
}

int SocketCalls::setsockopt(int fd, int level, int name, const void* value, socklen_t n) noexcept {
  if (!Machine::isSimulated(fd)) return Real::setsockopt(fd, level, name, value, n);
  const auto lock = machine_.lock();
  const auto socket = machine_.socket(fd);
  return socket ? socket->setOption(level, name, value, n) : -EBADF;
}

int SocketCalls::getsockopt(int fd, int level, int name, void* value, socklen_t* n) noexcept {
  if (!Machine::isSimulated(fd)) return Real::getsockopt(fd, level, name, value, n);
  const auto lock = machine_.lock();
  const auto socket = machine_.socket(fd);
  return socket ? socket->getOption(level, name, value, n) : -EBADF;
}

int SocketCalls::shutdown(int fd, int how) noexcept {
  if (!Machine::isSimulated(fd)) return Real::shutdown(fd, how);
  const auto lock = machine_.lock();
  const auto socket = machine_.socket(fd);
  return socket ? socket->shutdown(how) : -EBADF;
}

ssize_t SocketCalls::recv(int fd, MutableBytes into, int flags) noexcept {
  if (!Machine::isSimulated(fd)) return Real::recv(fd, into, flags);
  const auto lock = machine_.lock();
  const auto socket = machine_.socket(fd);
  if (!socket) return -EBADF;
  if (const auto failed = disturbReceive(*socket)) return *failed;
  const iovec run{into.data(), into.size()};
  return socket->receive({&run, 1}, flags);
}

std::optional<ssize_t> SocketCalls::disturbReceive(Socket& socket) {
  if (socket.exempt) return std::nullopt;
  World& world = machine_.world;
  if (socket.readable() > 0) {
    if (const auto order = world.orders().take(Call::kReceive)) return socket.withhold(*order);
  }
  const Faults& faults = world.faults();
  if (world.chance(faults.interrupted)) return -EINTR;
  if (world.chance(faults.reset)) socket.breakDown();
  if (world.chance(faults.again) && socket.withdraw()) return -EAGAIN;
  return std::nullopt;
}

ssize_t SocketCalls::sendmsg(int fd, std::span<const iovec> from, int flags) noexcept {
  if (!Machine::isSimulated(fd)) return Real::sendmsg(fd, from, flags);
  const auto lock = machine_.lock();
  const auto socket = machine_.socket(fd);
  if (!socket) return -EBADF;
  if (!(flags & MSG_NOSIGNAL)) machine_.world.violation("a send without MSG_NOSIGNAL");
  if (const auto result = disturbSend(*socket, from)) return *result;
  return socket->send(from);
}

// A send that takes less than it could finds no space for some steps, and an edge follows: the
// kernel never takes less without being full.
std::optional<ssize_t> SocketCalls::disturbSend(Socket& socket, std::span<const iovec> from) {
  if (socket.exempt) return std::nullopt;
  World& world = machine_.world;
  const auto has = [&socket](std::uint32_t event) { return (socket.readiness() & event) != 0; };
  if (world.orders().has(Call::kSend) && has(EPOLLOUT) && !has(EPOLLERR | EPOLLHUP)) {
    return socket.send(from, *world.orders().take(Call::kSend));
  }
  const Faults& faults = world.faults();
  if (world.chance(faults.interrupted)) return -EINTR;
  if (world.chance(faults.noBuffers)) return -ENOBUFS;
  if (world.chance(faults.reset)) socket.breakDown();
  if (world.chance(faults.again) && !has(EPOLLERR | EPOLLHUP)) {
    socket.stall();
    return -EAGAIN;
  }
  if (!world.chance(faults.shortWrite) || from[0].iov_len < 2) return std::nullopt;
  return socket.sendPart(from, world.between(1, from[0].iov_len - 1));
}

}  // namespace penstock::sim
