// The workload relay of peer-raw-epoll.
#pragma once

#include "raw_epoll.h"

#include <fcntl.h>

#include <array>

namespace peer {

inline constexpr int kPipeSize = 1 << 20;

// One way of a relay: from one socket into another, by copying or through a pipe.
class Way {
 public:
  enum class Outcome { kMore, kWait, kBroken };

  bool blocked() const { return server.splice ? inPipe_ > 0 : !backlog_.empty(); }
  bool ended() const { return ended_; }

  bool prepare() {
    if (!server.splice) return true;
    if (::pipe2(pipe_.data(), O_NONBLOCK | O_CLOEXEC) < 0) return false;
    ::fcntl(pipe_[0], F_SETPIPE_SZ, kPipeSize);  // As large as we are allowed to.
    return true;
  }
  ~Way() {
    for (const int end : pipe_) {
      if (end >= 0) ::close(end);
    }
  }

  // Moves what one call can take. Only when nothing is left of the time before.
  Outcome move(int from, int to) {
    if (ended_) return Outcome::kWait;
    const ssize_t count = server.splice
                              ? ::splice(from, nullptr, pipe_[1], nullptr, kPipeSize, kSpliceFlags)
                              : ::recv(from, server.buffer.data(), server.relayBuffer, 0);
    if (count < 0) return wouldBlock() ? Outcome::kWait : Outcome::kBroken;
    if (count == 0) {
      ended_ = true;
      ::shutdown(to, SHUT_WR);
      return Outcome::kWait;
    }
    inPipe_ = static_cast<std::size_t>(count);
    const bool good = server.splice ? flush(to) : backlog_.send(to, server.buffer.data(), inPipe_);
    return good ? Outcome::kMore : Outcome::kBroken;
  }

  // False: the connection is broken.
  bool flush(int to) {
    if (!server.splice) return backlog_.flush(to);
    const ssize_t count = ::splice(pipe_[0], nullptr, to, nullptr, inPipe_, kSpliceFlags);
    if (count < 0) return wouldBlock();
    inPipe_ -= static_cast<std::size_t>(count);
    return true;
  }

 private:
  static constexpr unsigned kSpliceFlags = SPLICE_F_NONBLOCK | SPLICE_F_MOVE;

  bool ended_ = false;
  Backlog backlog_;
  std::array<int, 2> pipe_{-1, -1};
  std::size_t inPipe_ = 0;
};

// One end of a relay. The two of a pair live and die together.
class RelayEnd final : public Endpoint {
 public:
  static void join(int client) {
    const int upstream = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (upstream < 0) {
      ::close(client);
      return;
    }
    setNoDelay(upstream);
    const auto* to = reinterpret_cast<const sockaddr*>(&server.options.to);
    const bool failed =
        ::connect(upstream, to, sizeof server.options.to) < 0 && errno != EINPROGRESS;
    auto* near = new RelayEnd(client);
    auto* far = new RelayEnd(upstream);
    near->other_ = far;
    far->other_ = near;
    near->connecting_ = far->connecting_ = far->upstream_ = true;
    near->add(0);
    far->add(EPOLLOUT);
    if (failed || !near->outward_.prepare() || !far->outward_.prepare()) near->closeBoth();
  }

  void ready(std::uint32_t events) override {
    if (events & EPOLLERR) return closeBoth();
    if (connecting_) return connected(events);
    if ((events & EPOLLOUT) && other_->outward_.blocked()) other_->pump();
    if (open() && (events & kReadable)) pump();
  }

 private:
  explicit RelayEnd(int fd) : Endpoint(fd) {}

  void connected(std::uint32_t events) {
    if (events & EPOLLHUP) return closeBoth();
    if (!upstream_ || !(events & EPOLLOUT)) return;
    connecting_ = other_->connecting_ = false;
    other_->pump();
    if (open()) pump();
  }

  // From this end's socket into the other's.
  void pump() {
    if (outward_.blocked() && !outward_.flush(other_->fd_)) return closeBoth();
    Way::Outcome outcome = Way::Outcome::kMore;
    while (!outward_.blocked() && outcome == Way::Outcome::kMore) {
      outcome = outward_.move(fd_, other_->fd_);
      if (outcome == Way::Outcome::kBroken) return closeBoth();
      if (!server.edge) break;
    }
    if (finished() && other_->finished()) return closeBoth();
    rearm();
    other_->rearm();
  }

  bool finished() const { return outward_.ended() && !outward_.blocked(); }

  void rearm() {
    if (outward_.ended() && other_->finished()) return leave();
    const bool mayRead = !outward_.blocked() && !outward_.ended();
    std::uint32_t events = 0;
    if (mayRead) events |= EPOLLIN;
    if (other_->outward_.blocked()) events |= EPOLLOUT;
    want(events);
  }

  void closeBoth() {
    other_->close();
    close();
  }

  RelayEnd* other_ = nullptr;
  Way outward_;
  bool connecting_ = false;
  bool upstream_ = false;
};

}  // namespace peer
