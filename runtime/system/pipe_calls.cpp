#include <penstock/runtime/system/pipe_calls.h>
#include <penstock/runtime/system/result_of.h>

#include <fcntl.h>
#include <unistd.h>

namespace penstock {

int PipeCalls::pipe(int (&fds)[2]) noexcept {
  return resultOf(::pipe2(fds, O_NONBLOCK | O_CLOEXEC));
}
int PipeCalls::setPipeSize(int pipe, int size) noexcept {
  return resultOf(::fcntl(pipe, F_SETPIPE_SZ, size));
}
ssize_t PipeCalls::splice(int from, int to, std::size_t most) noexcept {
  return resultOf(::splice(from, nullptr, to, nullptr, most, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
}
ssize_t PipeCalls::read(int fd, MutableBytes into) noexcept {
  return resultOf(::read(fd, into.data(), into.size()));
}

}  // namespace penstock
