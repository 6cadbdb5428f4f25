// UnixConnects: the connects of a reactor to UNIX sockets, the same for both families.
#pragma once

#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/time.h>
#include <penstock/runtime/timer.h>
#include <penstock/runtime/transport.h>

#include <sys/socket.h>

#include <map>
#include <memory>
#include <string>

namespace penstock {

class ReactorBase;

// A UNIX socket connects at once or not at all. While the listener's backlog is full, a
// non-blocking connect is told EAGAIN and nothing ever becomes ready (connect(2)); a blocking one
// waits in a thread, in io_uring one of the kernel's. So those who wait are kept here, in a queue
// for each address, and the first of each queue tries again after a pause: what waiting costs does
// not grow with their number, and nobody overtakes.
class UnixConnects {
 public:
  explicit UnixConnects(ReactorBase& reactor);
  ~UnixConnects();
  UnixConnects(const UnixConnects&) = delete;
  UnixConnects& operator=(const UnixConnects&) = delete;

  // As Reactor::openConnect().
  PendingConnect& open(OwnedFd fd, const sockaddr* to, socklen_t length, ConnectHandler handler);

 private:
  // Between two tries. It doubles while nobody gets in, and starts again once somebody does.
  static constexpr Duration kShortestPause = std::chrono::milliseconds(1);
  static constexpr Duration kLongestPause = std::chrono::milliseconds(64);

  class Attempt;
  class Queue;

  void wait(Attempt& attempt) noexcept;
  void retry();

  ReactorBase& reactor_;
  std::map<std::string, std::unique_ptr<Queue>> queues_;  // By the bytes of the address.
  Duration pause_ = kShortestPause;
  Timer retry_;
};

}  // namespace penstock
