#include <penstock/tests/traces/line.h>

#include <penstock/tests/traces/pattern.h>

#include <array>
#include <string>
#include <utility>

namespace penstock::traces {
namespace {

constexpr int kRoom = 8 << 20;  // For any step of a trace, in bytes.

}  // namespace

Line::Line(Application& application)
    : kernel(1, sim::Faults::none()),
      application_(application),
      ends_(kernel.pair(0, AF_INET)),
      near_(std::move(ends_.first)),
      peer_(kernel, std::move(ends_.second)),
      fd_(near_.get()) {
  for (const int fd : {fd_, peer_.descriptor()}) {
    socketCalls().setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kRoom, sizeof kRoom);
  }
  allow(0);
  kernel.onViolation([this](const std::string& what) { application_.complain(what); });
  below_ = replaceSystemCalls({});
  replaceSystemCalls({this, this, below_.pipe, this, below_.clock});
}

Line::~Line() { replaceSystemCalls(below_); }

void Line::offer(std::size_t count) {
  if (over_) return;
  if (peer_.send(asText(patternAt(offered_, count))) < count) application_.complain("no room");
  offered_ += count;
}

void Line::offerEnd() {
  if (!std::exchange(over_, true)) peer_.shutdownOutput();
}

void Line::breakDown() {
  over_ = true;
  kernel.breakConnection(peer_.descriptor());
}

void Line::takeBack() {
  std::array<std::byte, 16384> piece;
  ssize_t count;
  while ((count = below_.socket->recv(fd_, piece, 0)) > 0) {
    offered_ -= static_cast<std::size_t>(count);
  }
}

std::size_t Line::drain() {
  const std::string text = peer_.receive();
  if (!isPattern(asBytes(text), sent_)) application_.complain("wrong bytes were sent");
  sent_ += text.size();
  return text.size();
}

int Line::close(int fd) noexcept {
  if (fd == fd_) {
    watched_ = 0;
    over_ = true;
    ++closes_;
    application_.note({"close"});
  }
  return below_.descriptor->close(fd);
}

int Line::setNonBlocking(int fd, bool on) noexcept {
  return below_.descriptor->setNonBlocking(fd, on);
}

int Line::epollCtl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  if (fd == fd_) watched_ = operation == EPOLL_CTL_DEL ? 0 : event->events;
  return below_.poll->epollCtl(epoll, operation, fd, event);
}

int Line::epollWait(int epoll, std::span<epoll_event> events,
                    std::optional<Duration> timeout) noexcept {
  return below_.poll->epollWait(epoll, events, timeout);
}

int Line::connect(int, const sockaddr*, socklen_t) noexcept { return 0; }

int Line::setsockopt(int, int level, int name, const void*, socklen_t) noexcept {
  if (level == SOL_SOCKET && name == SO_LINGER) application_.note({"setLingerZero"});
  return 0;
}

int Line::getsockopt(int fd, int level, int name, void* value, socklen_t* n) noexcept {
  return below_.socket->getsockopt(fd, level, name, value, n);
}

int Line::shutdown(int fd, int how) noexcept {
  const bool half = how == SHUT_WR;
  if (fd == fd_) application_.note({"shutdown", half ? "write" : "other"});
  return half || fd != fd_ ? below_.socket->shutdown(fd, how) : 0;
}

ssize_t Line::recv(int fd, MutableBytes into, int flags) noexcept {
  return below_.socket->recv(fd, into, flags);
}

ssize_t Line::sendmsg(int fd, std::span<const iovec> from, int flags) noexcept {
  const ssize_t sent = below_.socket->sendmsg(fd, from, flags);
  if (fd != fd_ || sent <= 0) return sent;
  application_.note({"send", sent_, sent});
  drain();
  return sent;
}

}  // namespace penstock::traces
