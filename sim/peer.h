// sim::Peer: the far end of a simulated connection, played by a test.
#pragma once

#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/socket_address.h>
#include <penstock/sim/kernel.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace penstock::sim {

// Does what the test says and nothing by itself; what it does suffers no faults. None of its calls
// waits: turn the reactor on the other end between them, with iterate(). A script in virtual time
// is made of the reactor's own timers. Throws std::system_error where the kernel refuses.
class Peer {
 public:
  // Plays `fd`, say one end of kernel.pair().
  Peer(Kernel& kernel, OwnedFd fd);

  // Connects to who listens at `to`. It is accepted when the reactor there turns.
  Peer(Kernel& kernel, const SocketAddress& to);

  // Sends; how many bytes there was room for. A reader that has stopped makes it less.
  std::size_t send(std::string_view text);

  // All that has arrived and was not received yet, at most `most` bytes. A connection that was
  // reset throws, once, behind what arrived before.
  std::string receive(std::size_t most = SIZE_MAX);

  // Whether receive() has met the end of the input.
  bool ended() const noexcept { return ended_; }

  void shutdownOutput();  // Half-closes.
  void close() noexcept { fd_.reset(); }
  void reset();  // Closes, and the other end sees ECONNRESET.

  int descriptor() const noexcept { return fd_.get(); }

 private:
  OwnedFd fd_;
  int error_ = 0;  // Met behind bytes that were received first.
  bool ended_ = false;
};

}  // namespace penstock::sim
