// peer-raw-epoll: the floor for readiness. A loop written by hand round epoll, recv and send.
//
// Level-triggered, or with --edge edge-triggered. All connections share one receive buffer that
// stays in the cache; EPOLLOUT is asked for only once the kernel has refused bytes, and nothing
// more is read from a connection until those have gone.
#include "raw_epoll.h"
#include "raw_epoll_relay.h"

#include <sys/epoll.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace peer {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr int kSendsPerTurn = 16;

// The workloads echo, compute and timers.
class Echo final : public Endpoint, public Timer {
 public:
  explicit Echo(int fd) : Endpoint(fd) {
    add(EPOLLIN);
    arm();
  }

  void timedOut() { close(); }

  void ready(std::uint32_t events) override {
    ended_ = ended_ || (events & EPOLLRDHUP);
    if (!backlog_.empty()) {
      if (!backlog_.flush(fd_)) return close();
      if (!backlog_.empty()) return;
      want(EPOLLIN);
    } else if (!(events & kReadable)) {
      return;
    }
    receive();
  }

 private:
  // Edge-triggered, a short read says that all was read; but the end may lie behind it already.
  void receive() {
    ssize_t count;
    do {
      count = ::recv(fd_, server.buffer.data(), server.buffer.size(), 0);
      if (count < 0 && wouldBlock()) return;
      if (count <= 0) return close();
      if (!echo(static_cast<std::size_t>(count))) return close();
      if (!backlog_.empty()) return want(EPOLLOUT);
    } while (server.edge && (ended_ || count == static_cast<ssize_t>(server.buffer.size())));
  }

  bool echo(std::size_t count) {
    Timer::cancel();
    work_.received(count, server.options);
    const bool good = backlog_.send(fd_, server.buffer.data(), count);
    arm();
    return good;
  }

  void arm() {
    if (server.options.workload == Workload::kTimers) server.timers.arm(*this);
  }

  bool ended_ = false;
  Backlog backlog_;
  Work work_;
};

class Sink final : public Endpoint {
 public:
  explicit Sink(int fd) : Endpoint(fd) { add(EPOLLIN); }

  void ready(std::uint32_t events) override {
    const bool ended = (events & EPOLLRDHUP) != 0;
    ssize_t count;
    do {
      count = ::recv(fd_, server.buffer.data(), server.buffer.size(), 0);
      if (count == 0 || (count < 0 && !wouldBlock())) return close();
    } while (server.edge && (ended || count == static_cast<ssize_t>(server.buffer.size())));
  }
};

// Always level-triggered: sending until the kernel refuses would starve the other connections.
class Source final : public Endpoint {
 public:
  explicit Source(int fd) : Endpoint(fd) { add(EPOLLIN | EPOLLOUT, false); }

  void ready(std::uint32_t events) override {
    if (events & kReadable) return discard();
    for (int i = 0; i < kSendsPerTurn; ++i) {
      const Pattern& pattern = server.pattern;
      const ssize_t count = ::send(fd_, pattern.at(sent_), pattern.chunk(), MSG_NOSIGNAL);
      if (count < 0) return wouldBlock() ? void() : close();
      sent_ += static_cast<std::uint64_t>(count);
      if (count < static_cast<ssize_t>(pattern.chunk())) return;
    }
  }

 private:
  void discard() {
    const ssize_t count = ::recv(fd_, server.buffer.data(), server.buffer.size(), 0);
    if (count == 0 || (count < 0 && !wouldBlock())) close();
  }

  std::uint64_t sent_ = 0;
};

class Acceptor final : public Endpoint {
 public:
  explicit Acceptor(int fd) : Endpoint(fd) { add(EPOLLIN); }

  void ready(std::uint32_t) override {
    const int limit = server.edge ? INT32_MAX : kAcceptsPerTurn;
    for (int i = 0; i < limit; ++i) {
      const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (fd < 0) return;
      serve(fd);
    }
  }

 private:
  static void serve(int fd) {
    switch (server.options.workload) {
      case Workload::kEcho:
      case Workload::kCompute:
      case Workload::kTimers:
        new Echo(fd);
        return;
      case Workload::kSink:
        new Sink(fd);
        return;
      case Workload::kSource:
        new Source(fd);
        return;
      case Workload::kRelay:
        return RelayEnd::join(fd);
    }
  }
};

int waitMs() {
  const auto wait = server.timers.wait();
  if (!wait) return -1;
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(*wait).count());
}

[[noreturn]] void run() {
  std::array<epoll_event, 512> events;
  const bool timed = server.options.workload == Workload::kTimers;
  for (;;) {
    const int count = ::epoll_wait(server.epoll, events.data(), events.size(), waitMs());
    if (timed) server.timers.startTurn();
    for (int i = 0; i < count; ++i) {
      auto* endpoint = static_cast<Endpoint*>(events[i].data.ptr);
      if (endpoint->open()) endpoint->ready(events[i].events);
    }
    while (Timer* timer = server.timers.takeDue()) static_cast<Echo*>(timer)->timedOut();
    server.closed.clear();
  }
}

}  // namespace
}  // namespace peer

int main(int argc, char** argv) {
  using namespace peer;
  server.options = optionsOf(argc, argv, [](std::string_view name, auto value) {
    if (name == "--edge") return server.edge = true;
    if (name == "--splice") return server.splice = true;
    if (name == "--relay-buffer") {
      server.relayBuffer = numberOf<std::uint32_t>(name, value());
      if (server.relayBuffer == 0) refuse("--relay-buffer: at least one byte");
      return true;
    }
    if (name == "--chunk") return (server.chunk = numberOf<std::uint32_t>(name, value())) > 0;
    return false;
  });
  server.buffer.resize(std::max(server.buffer.size(), server.relayBuffer));
  server.pattern = Pattern(server.chunk);
  server.epoll = ::epoll_create1(EPOLL_CLOEXEC);
  check(server.epoll, "epoll_create1");
  const int listener = listenOn(server.options.port, SOCK_NONBLOCK);
  new Acceptor(listener);
  announce(portOf(listener), "raw-epoll", kernelVersion());
  run();
}
