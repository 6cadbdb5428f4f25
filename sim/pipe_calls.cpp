#include <penstock/sim/pipe_calls.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

namespace penstock::sim {

ssize_t PipeCalls::splice(int from, int to, std::size_t most) noexcept {
  if (!Machine::isSimulated(from) && !Machine::isSimulated(to)) return Real::splice(from, to, most);
  const auto lock = machine_.lock();
  World& world = machine_.world;
  const auto source = machine_.socket(from);
  const auto target = machine_.socket(to);
  if (!source == !target) return -EINVAL;  // One end is a pipe.
  if (world.chance(world.faults().interrupted)) return -EINTR;
  return source ? spliceFrom(*source, to, most) : spliceTo(*target, from, most);
}

// Only what the pipe has taken leaves the socket.
ssize_t PipeCalls::spliceFrom(Socket& socket, int pipe, std::size_t most) {
  std::vector<std::byte> bytes(std::clamp<std::size_t>(socket.readable(), 1, most));
  iovec run{bytes.data(), bytes.size()};
  const ssize_t found = socket.receive({&run, 1}, MSG_PEEK);
  if (found <= 0) return found;
  const ssize_t moved = ::write(pipe, bytes.data(), static_cast<std::size_t>(found));
  if (moved < 0) return -errno;
  run.iov_len = static_cast<std::size_t>(moved);
  return socket.receive({&run, 1}, 0);
}

// Only what the socket will take leaves the pipe.
ssize_t PipeCalls::spliceTo(Socket& socket, int pipe, std::size_t most) {
  if (const int error = socket.refusal()) return error;
  most = std::min(most, socket.awaitSpace());
  if (most == 0) return -EAGAIN;
  std::vector<std::byte> bytes(most);
  const ssize_t found = ::read(pipe, bytes.data(), bytes.size());
  if (found <= 0) return found < 0 ? -errno : 0;
  const iovec run{bytes.data(), static_cast<std::size_t>(found)};
  return socket.send({&run, 1});
}

}  // namespace penstock::sim
