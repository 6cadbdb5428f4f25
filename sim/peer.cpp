#include <penstock/runtime/system/socket_calls.h>
#include <penstock/sim/peer.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace penstock::sim {
namespace {

long checked(long result, const char* call) {
  if (result >= 0) return result;
  throw std::system_error(static_cast<int>(-result), std::generic_category(),
                          std::string("peer: ") + call);
}

}  // namespace

Peer::Peer(Kernel& kernel, OwnedFd fd) : fd_(std::move(fd)) { kernel.exempt(fd_.get()); }

Peer::Peer(Kernel& kernel, const SocketAddress& to)
    : Peer(kernel, OwnedFd(static_cast<int>(
                       checked(socketCalls().socket(to.family(), SOCK_STREAM, 0), "socket")))) {
  const int result = socketCalls().connect(fd_.get(), to.data(), to.length());
  if (result != -EINPROGRESS) checked(result, "connect");
  int error = 0;
  socklen_t length = sizeof error;
  socketCalls().getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  checked(-error, "connect");
}

std::size_t Peer::send(std::string_view text) {
  const iovec run{const_cast<char*>(text.data()), text.size()};
  const ssize_t sent = socketCalls().sendmsg(fd_.get(), {&run, 1}, MSG_NOSIGNAL);
  return sent == -EAGAIN ? 0 : static_cast<std::size_t>(checked(sent, "send"));
}

std::string Peer::receive(std::size_t most) {
  std::string all;
  std::array<std::byte, 4096> piece;
  checked(-std::exchange(error_, 0), "receive");
  while (!ended_ && all.size() < most) {
    const std::size_t room = std::min(most - all.size(), piece.size());
    const ssize_t count = socketCalls().recv(fd_.get(), MutableBytes(piece).first(room), 0);
    if (count == -EAGAIN) break;
    if (count < 0 && !all.empty()) {
      error_ = static_cast<int>(-count);
      break;
    }
    ended_ = checked(count, "receive") == 0;
    all += asText(Bytes(piece).first(static_cast<std::size_t>(count)));
  }
  return all;
}

void Peer::shutdownOutput() { checked(socketCalls().shutdown(fd_.get(), SHUT_WR), "shutdown"); }

void Peer::reset() {
  const linger immediately{1, 0};
  socketCalls().setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
  close();
}

}  // namespace penstock::sim
