// What the requests of a simulated ring do.
#include <penstock/runtime/uring/ring_calls.h>
#include <penstock/sim/ring.h>

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace penstock::sim {
namespace {

Socket* socketOf(const Request& request) noexcept {
  return dynamic_cast<Socket*>(request.file.get());
}

std::uint32_t readinessOf(const Request& request, std::uint32_t wanted) {
  if (request.file) return request.file->readiness() & (wanted | EPOLLERR | EPOLLHUP);
  pollfd asked{request.entry.fd, static_cast<short>(wanted), 0};
  return ::poll(&asked, 1, 0) > 0 ? static_cast<std::uint32_t>(asked.revents) : 0;
}

constexpr Duration toDuration(const __kernel_timespec& time) {
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

}  // namespace

bool Ring::canComplete(const Request& request) const {
  switch (request.entry.opcode) {
    case IORING_OP_RECV:
    case IORING_OP_ACCEPT:
    case IORING_OP_READ:
      return (request.file && request.file->nonBlocking) || readinessOf(request, EPOLLIN);
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
    case IORING_OP_SEND_ZC:
    case IORING_OP_SENDMSG_ZC:
      if (request.notifying) return true;
      return (request.file && request.file->nonBlocking) || readinessOf(request, EPOLLOUT);
    case IORING_OP_POLL_ADD:
      if (request.watch && !request.watch->pending) return false;
      return readinessOf(request, request.entry.poll32_events);
    case IORING_OP_CONNECT: {
      const Socket* socket = socketOf(request);
      return !request.started || !socket || socket->state() != Socket::State::kConnecting;
    }
    case IORING_OP_TIMEOUT:
      return false;
    default:
      return true;
  }
}

void Ring::receive(Request& request) {
  Socket* socket = socketOf(request);
  if (!socket) return post(request, -ENOTSOCK);
  const Faults& faults = world_.faults();
  if (const auto failed = withheld(*socket)) {
    const bool waits = *failed == -EAGAIN && !socket->nonBlocking;
    return waits ? void() : post(request, *failed);
  }
  const std::uint32_t hungUp = socket->readiness() & EPOLLRDHUP;
  if (!hungUp && world_.chance(faults.again)) return post(request, -EAGAIN);
  if (world_.chance(faults.reset)) socket->breakDown();
  if (request.entry.flags & IOSQE_BUFFER_SELECT) return receiveSelected(request, *socket);
  const ssize_t count = socket->receive(request.rest(), static_cast<int>(request.entry.msg_flags));
  post(request, count, socket->readable() > 0 ? IORING_CQE_F_SOCK_NONEMPTY : 0);
}

std::optional<ssize_t> Ring::withheld(Socket& socket) {
  if (socket.readable() == 0) return std::nullopt;
  const auto order = world_.orders().take(Call::kReceive);
  return order ? socket.withhold(*order) : std::nullopt;
}

void Ring::receiveSelected(Request& request, Socket& socket) {
  const auto group = std::ranges::find(groups_, request.entry.buf_group, &BufferGroup::id);
  const bool none = group == groups_.end() || group->empty();
  if (none || world_.chance(world_.faults().noBuffers)) return post(request, -ENOBUFS);
  const iovec into = group->next();
  const ssize_t count = socket.receive({&into, 1}, static_cast<int>(request.entry.msg_flags));
  if (count <= 0) return post(request, count);
  const std::uint32_t id = group->take();
  std::uint32_t flags = IORING_CQE_F_BUFFER | id << IORING_CQE_BUFFER_SHIFT;
  if (socket.readable() > 0) flags |= IORING_CQE_F_SOCK_NONEMPTY;
  if (stillMore(request)) flags |= IORING_CQE_F_MORE;
  post(request, count, flags);
}

void Ring::sent(Request& request) {
  request.notifying = request.isZeroCopy();
  post(request, static_cast<long>(request.sent), request.notifying ? IORING_CQE_F_MORE : 0);
}

// The network has looked at the bytes for the last time.
void Ring::notify(Request& request) {
  request.requireUnchanged(world_, request.sent);
  const bool reports = (request.entry.ioprio & uring::kSendZeroCopyReportUsage) != 0;
  const bool copied = reports && world_.chance(world_.faults().copied);
  post(request, copied ? uring::kNotificationCopied : 0, IORING_CQE_F_NOTIF);
}

// With MSG_WAITALL the request goes on until all is sent.
void Ring::send(Request& request) {
  Socket* socket = socketOf(request);
  if (!socket) return post(request, -ENOTSOCK);
  request.requireUnchanged(world_);
  const std::vector<iovec> rest = request.rest();
  const std::size_t size = sizeOf(rest);
  const bool broken = (socket->readiness() & (EPOLLERR | EPOLLHUP)) != 0;
  const long allowed =
      broken || request.sent > 0 ? static_cast<long>(size) : disturbSend(*socket, size);
  if (allowed < 0) return post(request, allowed);
  auto most = static_cast<std::size_t>(allowed);
  if (most > 1 && world_.chance(world_.faults().shortWrite)) most = world_.between(1, most - 1);
  const bool partly = most < size;
  const ssize_t count = socket->send(firstOf(rest, most));
  if (count < 0) return request.sent > 0 ? sent(request) : post(request, count);
  request.sent += static_cast<std::size_t>(count);
  const bool waits = (request.entry.msg_flags & MSG_WAITALL) && !partly;
  if (static_cast<std::size_t>(count) == size || !waits) sent(request);
}

// How many of `size` bytes may go, or what the send fails with.
long Ring::disturbSend(Socket& socket, std::size_t size) {
  const Faults& faults = world_.faults();
  if (world_.orders().has(Call::kSend) && (socket.readiness() & EPOLLOUT)) {
    const Order order = *world_.orders().take(Call::kSend);
    if (order.what == Order::What::kFail) return -order.error;
    if (order.what == Order::What::kDelay) socket.delayOutput(order.delay);
    if (order.what == Order::What::kCut) size = std::min(size, order.most);
  }
  if (world_.chance(faults.again)) return -EAGAIN;
  if (world_.chance(faults.noBuffers)) return -ENOBUFS;
  if (world_.chance(faults.reset)) socket.breakDown();
  return static_cast<long>(size);
}

void Ring::accept(Request& request) {
  Socket* socket = socketOf(request);
  if (!socket) return post(request, -ENOTSOCK);
  auto* peer = reinterpret_cast<sockaddr*>(request.entry.addr);
  auto* length = reinterpret_cast<socklen_t*>(request.entry.addr2);
  if (peer) world_.requireAlive({reinterpret_cast<std::byte*>(peer), *length}, "an accept");
  const int flags = static_cast<int>(request.entry.accept_flags);
  const int fd = machine_.accept(*socket, peer, length, flags);
  std::uint32_t told = fd >= 0 && stillMore(request) ? IORING_CQE_F_MORE : 0;
  if (fd >= 0 && socket->hasConnections()) told |= IORING_CQE_F_SOCK_NONEMPTY;
  post(request, fd, told);
}

void Ring::connect(Request& request) {
  const auto socket = std::dynamic_pointer_cast<Socket>(request.file);
  if (!socket) return post(request, -ENOTSOCK);
  if (!std::exchange(request.started, true)) {
    const auto* to = reinterpret_cast<const sockaddr*>(&request.address);
    const int result =
        machine_.network.connect(socket, to, static_cast<socklen_t>(request.entry.off));
    if (result != -EINPROGRESS) return post(request, result);
    if (socket->state() == Socket::State::kConnecting) return;
  }
  post(request, -socket->takeError());
}

// Of a real descriptor, as the eventfd of a loop.
void Ring::read(Request& request) {
  if (!request.isReal()) return post(request, -EINVAL);
  world_.requireAlive({static_cast<std::byte*>(request.runs[0].iov_base), request.runs[0].iov_len},
                      "a read");
  const ssize_t count = ::read(request.entry.fd, request.runs[0].iov_base, request.runs[0].iov_len);
  post(request, count < 0 ? -errno : count);
}

void Ring::pollAdd(Request& request) {
  const std::uint32_t events = readinessOf(request, request.entry.poll32_events);
  if (request.watch) request.watch->pending = false;
  post(request, static_cast<long>(events), stillMore(request) ? IORING_CQE_F_MORE : 0);
}

void Ring::startTimeout(const std::shared_ptr<Request>& request) {
  const auto& time = *reinterpret_cast<const __kernel_timespec*>(request->entry.addr);
  request->countdown = request->entry.off;
  world_.at(world_.now() + toDuration(time), [this, weak = std::weak_ptr(request)] {
    const auto due = weak.lock();
    if (due && !due->over) post(*due, -ETIME);
  });
}

}  // namespace penstock::sim
