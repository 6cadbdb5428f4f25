#include <penstock/bench/compare/load/epoll_sockets.h>
#include <penstock/bench/compare/pattern.h>

namespace penstock::compare {

EpollSockets::EpollSockets(Events& events) : listener_(events), into_(Pattern::kChunk) {}

EpollSockets::~EpollSockets() {
  for (const Socket& socket : sockets_) closeWithReset(socket.fd);
}

void EpollSockets::add(int fd) {
  events_.add(fd, EPOLLIN, static_cast<std::uint32_t>(sockets_.size()));
  sockets_.push_back({fd, false, {}});
}

void EpollSockets::send(std::uint32_t index, std::span<const std::byte> bytes) {
  sockets_[index].unsent = bytes;
  if (!sockets_[index].waitsForSpace) flush(index);
}

void EpollSockets::turn(std::int64_t untilNs) {
  for (const epoll_event& event : events_.wait(untilNs)) {
    if (event.events & EPOLLOUT) flush(event.data.u32);
    if (event.events & ~EPOLLOUT) receive(event.data.u32);
  }
}

void EpollSockets::flush(std::uint32_t index) {
  Socket& socket = sockets_[index];
  const bool any = !socket.unsent.empty();
  socket.unsent =
      socket.unsent.subspan(sendSome(socket.fd, socket.unsent.data(), socket.unsent.size()));
  const bool waits = !socket.unsent.empty();
  if (waits != socket.waitsForSpace) {
    events_.change(socket.fd, EPOLLIN | (waits ? EPOLLOUT : 0U), index);
    socket.waitsForSpace = waits;
  }
  if (any && !waits) listener_.sent(index);
}

void EpollSockets::receive(std::uint32_t index) {
  const std::size_t count = receiveSome(sockets_[index].fd, into_);
  if (count != 0) listener_.received(index, std::span(into_).first(count));
}

}  // namespace penstock::compare
