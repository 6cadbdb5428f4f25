#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/system/descriptor_calls.h>

namespace penstock {

void OwnedFd::reset(int fd) noexcept {
  const int old = std::exchange(fd_, fd);
  if (old >= 0) descriptorCalls().close(old);  // Linux frees the number whatever close(2) returns.
}

}  // namespace penstock
