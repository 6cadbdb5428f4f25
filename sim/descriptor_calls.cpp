#include <penstock/sim/descriptor_calls.h>

#include <cerrno>

namespace penstock::sim {

int DescriptorCalls::close(int fd) noexcept {
  const auto lock = machine_.lock();
  if (Machine::isSimulated(fd)) return machine_.close(fd);
  machine_.events.erase(fd);
  return Real::close(fd);
}

int DescriptorCalls::setNonBlocking(int fd, bool nonBlocking) noexcept {
  if (!Machine::isSimulated(fd)) return Real::setNonBlocking(fd, nonBlocking);
  const auto lock = machine_.lock();
  const std::shared_ptr<File> changed = machine_.file(fd);
  if (!changed) return -EBADF;
  changed->nonBlocking = nonBlocking;
  return 0;
}

// Nothing is exec'ed here.
int DescriptorCalls::setCloseOnExec(int fd) noexcept {
  if (!Machine::isSimulated(fd)) return Real::setCloseOnExec(fd);
  const auto lock = machine_.lock();
  return machine_.file(fd) ? 0 : -EBADF;
}

int DescriptorCalls::openReserve() noexcept {
  const auto lock = machine_.lock();
  return machine_.install(std::make_shared<File>());
}

}  // namespace penstock::sim
