// The synchronous socket calls of Kernel.
#include <penstock/sim/kernel.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

namespace penstock::sim {

int Kernel::socket(int domain, int type, int protocol) noexcept {
  constexpr int kFlags = SOCK_NONBLOCK | SOCK_CLOEXEC;
  const bool simulates = domain == AF_INET || domain == AF_INET6 || domain == AF_UNIX;
  if (!simulates || (type & ~kFlags) != SOCK_STREAM) {
    return penstock::SocketCalls::socket(domain, type, protocol);
  }
  const Lock lock(mutex_);
  auto made = std::make_shared<Socket>(world_, domain);
  made->nonBlocking = (type & SOCK_NONBLOCK) != 0;
  return install(std::move(made));
}

int Kernel::bind(int fd, const sockaddr* address, socklen_t length) noexcept {
  if (!isSimulated(fd)) return penstock::SocketCalls::bind(fd, address, length);
  const Lock lock(mutex_);
  const auto socket = socketOf(fd);
  return socket ? network_.bind(socket, address, length) : -EBADF;
}

int Kernel::listen(int fd, int backlog) noexcept {
  if (!isSimulated(fd)) return penstock::SocketCalls::listen(fd, backlog);
  const Lock lock(mutex_);
  const auto socket = socketOf(fd);
  return socket ? network_.listen(socket, backlog) : -EBADF;
}

int Kernel::connect(int fd, const sockaddr* address, socklen_t length) noexcept {
  if (!isSimulated(fd)) return penstock::SocketCalls::connect(fd, address, length);
  const Lock lock(mutex_);
  const auto socket = socketOf(fd);
  return socket ? network_.connect(socket, address, length) : -EBADF;
}

int Kernel::accept4(int fd, sockaddr* peer, socklen_t* length, int flags) noexcept {
  if (!isSimulated(fd)) return penstock::SocketCalls::accept4(fd, peer, length, flags);
  const Lock lock(mutex_);
  const auto socket = socketOf(fd);
  if (!socket) return -EBADF;
  if (!socket->exempt && world_.chance(world_.faults().interrupted)) return -EINTR;
  return accept(*socket, peer, length, flags);
}

// Without a free descriptor the connection stays in the queue.
int Kernel::accept(Socket& listener, sockaddr* peer, socklen_t* length, int flags) {
  if (listener.state() == Socket::State::kListening && !listener.hasConnections()) return -EAGAIN;
  if (acceptFailures_ > 0) {
    --acceptFailures_;
    return -acceptError_;
  }
  const int fd = install(std::make_shared<File>());
  if (fd < 0) return fd;
  auto [child, error] = listener.accept();
  if (!child) {
    closeHeld(fd);
    return error;
  }
  if (peer) copyName(child->remote, child->domain(), peer, length);
  child->nonBlocking = (flags & SOCK_NONBLOCK) != 0;
  files_[static_cast<std::size_t>(fd - kFirstDescriptor)] = std::move(child);
  return fd;
}

int Kernel::copyName(const Name& name, int domain, sockaddr* address, socklen_t* length) const {
  Name given = name;
  if (given.length == 0) {
    given.address.ss_family = static_cast<sa_family_t>(domain);
    given.length = sizeof given.address.ss_family;
  }
  std::memcpy(address, &given.address, std::min(*length, given.length));
  *length = given.length;
  return 0;
}

int Kernel::getsockname(int fd, sockaddr* address, socklen_t* length) noexcept {
  if (!isSimulated(fd)) return penstock::SocketCalls::getsockname(fd, address, length);
  const Lock lock(mutex_);
  const auto socket = socketOf(fd);
  return socket ? copyName(socket->local, socket->domain(), address, length) : -EBADF;
}

int Kernel::getpeername(int fd, sockaddr* address, socklen_t* length) noexcept {
  if (!isSimulated(fd)) return penstock::SocketCalls::getpeername(fd, address, length);
  const Lock lock(mutex_);
  const auto socket = socketOf(fd);
  if (!socket) return -EBADF;
  const bool lost = (socket->readiness() & EPOLLHUP) && !socket->isUnix();
  if (socket->state() != Socket::State::kConnected || lost) return -ENOTCONN;
  return copyName(socket->remote, socket->domain(), address, length);
}

int Kernel::setsockopt(int fd, int level, int name, const void* value, socklen_t n) noexcept {
  if (!isSimulated(fd)) return penstock::SocketCalls::setsockopt(fd, level, name, value, n);
  const Lock lock(mutex_);
  const auto socket = socketOf(fd);
  return socket ? socket->setOption(level, name, value, n) : -EBADF;
}

int Kernel::getsockopt(int fd, int level, int name, void* value, socklen_t* n) noexcept {
  if (!isSimulated(fd)) return penstock::SocketCalls::getsockopt(fd, level, name, value, n);
  const Lock lock(mutex_);
  const auto socket = socketOf(fd);
  return socket ? socket->getOption(level, name, value, n) : -EBADF;
}

int Kernel::shutdown(int fd, int how) noexcept {
  if (!isSimulated(fd)) return penstock::SocketCalls::shutdown(fd, how);
  const Lock lock(mutex_);
  const auto socket = socketOf(fd);
  return socket ? socket->shutdown(how) : -EBADF;
}

ssize_t Kernel::recv(int fd, MutableBytes into, int flags) noexcept {
  if (!isSimulated(fd)) return penstock::SocketCalls::recv(fd, into, flags);
  const Lock lock(mutex_);
  const auto socket = socketOf(fd);
  return socket ? receive(*socket, into, flags) : -EBADF;
}

ssize_t Kernel::receive(Socket& socket, MutableBytes into, int flags) {
  const Faults& faults = world_.faults();
  if (!socket.exempt) {
    if (world_.chance(faults.interrupted)) return -EINTR;
    if (world_.chance(faults.reset)) socket.breakDown();
    if (world_.chance(faults.again) && socket.withdraw()) return -EAGAIN;
  }
  const iovec run{into.data(), into.size()};
  return socket.receive({&run, 1}, flags);
}

ssize_t Kernel::sendmsg(int fd, std::span<const iovec> from, int flags) noexcept {
  if (!isSimulated(fd)) return penstock::SocketCalls::sendmsg(fd, from, flags);
  const Lock lock(mutex_);
  const auto socket = socketOf(fd);
  if (!socket) return -EBADF;
  if (!(flags & MSG_NOSIGNAL)) world_.violation("a send without MSG_NOSIGNAL");
  return send(*socket, from);
}

// A send that takes less than it could finds no space for some steps, and an edge follows: the
// kernel never takes less without being full.
ssize_t Kernel::send(Socket& socket, std::span<const iovec> from) {
  const Faults& faults = world_.faults();
  if (socket.exempt) return socket.send(from);
  if (world_.chance(faults.interrupted)) return -EINTR;
  if (world_.chance(faults.noBuffers)) return -ENOBUFS;
  if (world_.chance(faults.reset)) socket.breakDown();
  if (world_.chance(faults.again) && !(socket.readiness() & (EPOLLERR | EPOLLHUP))) {
    socket.stall();
    return -EAGAIN;
  }
  if (!world_.chance(faults.shortWrite) || from[0].iov_len < 2) return socket.send(from);
  const iovec part{from[0].iov_base, world_.between(1, from[0].iov_len - 1)};
  const ssize_t sent = socket.send({&part, 1});
  if (sent > 0) socket.stall();
  return sent;
}

ssize_t Kernel::splice(int from, int to, std::size_t most) noexcept {
  if (!isSimulated(from) && !isSimulated(to)) return penstock::PipeCalls::splice(from, to, most);
  const Lock lock(mutex_);
  const auto source = socketOf(from);
  const auto target = socketOf(to);
  if (!source == !target) return -EINVAL;  // One end is a pipe.
  if (world_.chance(world_.faults().interrupted)) return -EINTR;
  return source ? spliceFrom(*source, to, most) : spliceTo(*target, from, most);
}

// Only what the pipe has taken leaves the socket.
ssize_t Kernel::spliceFrom(Socket& socket, int pipe, std::size_t most) {
  std::vector<std::byte> bytes(std::clamp<std::size_t>(socket.readable(), 1, most));
  iovec run{bytes.data(), bytes.size()};
  const ssize_t found = socket.receive({&run, 1}, MSG_PEEK);
  if (found <= 0) return found;
  const ssize_t moved = ::write(pipe, bytes.data(), static_cast<std::size_t>(found));
  if (moved < 0) return -errno;
  run.iov_len = static_cast<std::size_t>(moved);
  return socket.receive({&run, 1}, 0);
}

// Only what the socket will take leaves the pipe.
ssize_t Kernel::spliceTo(Socket& socket, int pipe, std::size_t most) {
  if (const int error = socket.refusal()) return error;
  most = std::min(most, socket.awaitSpace());
  if (most == 0) return -EAGAIN;
  std::vector<std::byte> bytes(most);
  const ssize_t found = ::read(pipe, bytes.data(), bytes.size());
  if (found <= 0) return found < 0 ? -errno : 0;
  const iovec run{bytes.data(), static_cast<std::size_t>(found)};
  return socket.send({&run, 1});
}

}  // namespace penstock::sim
