// Line: the connection of a trace, on the simulated kernel.
#pragma once

#include <penstock/tests/traces/application.h>

#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/runtime/system/poll_calls.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/runtime/system/system_calls.h>
#include <penstock/sim/kernel.h>
#include <penstock/sim/peer.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace penstock::traces {

// One end is the transport's, the other ours: it sends and takes what the recording says. Notes
// what the transport asks of the kernel. Ending its end is noted and goes no further than that: how
// the kernel then ends what is in flight is for the recording to say, too.
class Line final : private DescriptorCalls, private PollCalls, private SocketCalls {
 public:
  explicit Line(Application& application);
  ~Line();

  // The transport's end; once.
  OwnedFd giveEnd() { return std::move(near_); }

  // Bytes of the input that are there for the transport.
  void offer(std::size_t count);
  void offerEnd();

  // A byte that is not part of it: for a read that will fail.
  void offerForNobody() { peer_.send("x"); }
  void breakDown();

  // Takes away what the transport did not read.
  void takeBack();

  // How many bytes the transport can send until this is called again.
  void allow(std::size_t bytes) { kernel.setWindow(peer_.descriptor(), bytes); }

  // Takes what was sent, and looks at it; how much it was.
  std::size_t drain();

  // Has epoll report exactly this.
  void report(std::uint32_t events) { kernel.reportInstead(fd_, events); }
  bool watchesSpace() const noexcept { return (watched_ & EPOLLOUT) != 0; }

  int descriptor() const noexcept { return fd_; }
  std::size_t sent() const noexcept { return sent_; }
  std::size_t offered() const noexcept { return offered_; }
  int closes() const noexcept { return closes_; }

  sim::Kernel kernel;

 private:
  int close(int fd) noexcept override;
  int setNonBlocking(int fd, bool on) noexcept override;

  int epollCreate() noexcept override { return below_.poll->epollCreate(); }
  int epollCtl(int epoll, int operation, int fd, epoll_event* event) noexcept override;
  int epollWait(int epoll, std::span<epoll_event> events,
                std::optional<Duration> timeout) noexcept override;
  int eventfd() noexcept override { return below_.poll->eventfd(); }

  int connect(int fd, const sockaddr* address, socklen_t length) noexcept override;
  int setsockopt(int fd, int level, int name, const void* value, socklen_t n) noexcept override;
  int getsockopt(int fd, int level, int name, void* value, socklen_t* n) noexcept override;
  int shutdown(int fd, int how) noexcept override;
  ssize_t recv(int fd, MutableBytes into, int flags) noexcept override;
  ssize_t sendmsg(int fd, std::span<const iovec> from, int flags) noexcept override;

  Application& application_;
  SystemCalls below_;  // The simulated kernel's.
  std::pair<OwnedFd, OwnedFd> ends_;
  OwnedFd near_;
  sim::Peer peer_;
  const int fd_;
  std::uint32_t watched_ = 0;
  std::size_t sent_ = 0;
  std::size_t offered_ = 0;  // Without what was taken back.
  bool over_ = false;        // No more input can come.
  int closes_ = 0;
};

}  // namespace penstock::traces
