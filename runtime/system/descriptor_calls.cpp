#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/runtime/system/result_of.h>

#include <fcntl.h>
#include <unistd.h>

namespace penstock {

int DescriptorCalls::close(int fd) noexcept { return resultOf(::close(fd)); }

int DescriptorCalls::setNonBlocking(int fd, bool nonBlocking) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  const int wanted = nonBlocking ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
  return wanted == flags ? 0 : resultOf(::fcntl(fd, F_SETFL, wanted));
}

int DescriptorCalls::setCloseOnExec(int fd) noexcept {
  return resultOf(::fcntl(fd, F_SETFD, FD_CLOEXEC));
}

int DescriptorCalls::openReserve() noexcept { return resultOf(::open("/dev/null", O_CLOEXEC)); }

}  // namespace penstock
