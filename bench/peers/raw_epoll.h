// What the parts of peer-raw-epoll share: the loop's state, a descriptor in it, bytes left over.
#pragma once

#include "peer.h"
#include "raw_timers.h"

#include <sys/epoll.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace peer {

inline constexpr std::uint32_t kReadable = EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;

class Endpoint;

struct Server {
  Options options;
  bool edge = false;
  bool splice = false;
  std::size_t relayBuffer = 65536;
  std::size_t chunk = kChunk;

  int epoll = -1;
  std::vector<char> buffer = std::vector<char>(256 << 10);
  Pattern pattern;
  Timers timers;
  std::vector<std::unique_ptr<Endpoint>> closed;  // Events of this turn may still name them.
};

inline Server server;

inline bool wouldBlock() { return errno == EAGAIN || errno == EINTR; }

// A descriptor in the loop. It owns itself until it is closed.
class Endpoint {
 public:
  explicit Endpoint(int fd) : fd_(fd) {}
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;
  virtual ~Endpoint() = default;

  virtual void ready(std::uint32_t events) = 0;
  bool open() const { return fd_ >= 0; }

 protected:
  void add(std::uint32_t events, bool edge = server.edge) {
    if (edge) events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    control(EPOLL_CTL_ADD, events);
  }

  // Edge-triggered, everything is reported anyway.
  void want(std::uint32_t events) {
    if (!server.edge && !left_ && events != wanted_) control(EPOLL_CTL_MOD, events);
  }

  // Hears nothing more, not even that the peer is gone.
  void leave() {
    if (!std::exchange(left_, true)) control(EPOLL_CTL_DEL, 0);
  }

  void close() {
    if (!open()) return;
    ::close(std::exchange(fd_, -1));
    server.closed.emplace_back(this);
  }

  int fd_;

 private:
  void control(int operation, std::uint32_t events) {
    epoll_event event{};
    event.events = wanted_ = events;
    event.data.ptr = this;
    check(::epoll_ctl(server.epoll, operation, fd_, &event), "epoll_ctl");
  }

  std::uint32_t wanted_ = 0;
  bool left_ = false;
};

// What the kernel did not take of something sent.
class Backlog {
 public:
  bool empty() const { return sent_ == bytes_.size(); }

  // Sends `size` bytes, or keeps what has to wait. False: the connection is broken.
  bool send(int fd, const char* data, std::size_t size) {
    const ssize_t count = ::send(fd, data, size, MSG_NOSIGNAL);
    if (count == static_cast<ssize_t>(size)) return true;
    if (count < 0 && !wouldBlock()) return false;
    const std::size_t taken = count < 0 ? 0 : static_cast<std::size_t>(count);
    bytes_.assign(data + taken, size - taken);
    sent_ = 0;
    return true;
  }

  bool flush(int fd) {
    const ssize_t count = ::send(fd, bytes_.data() + sent_, bytes_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0) return wouldBlock();
    sent_ += static_cast<std::size_t>(count);
    if (empty()) {
      bytes_ = {};
      sent_ = 0;
    }
    return true;
  }

 private:
  std::string bytes_;
  std::size_t sent_ = 0;
};

}  // namespace peer
