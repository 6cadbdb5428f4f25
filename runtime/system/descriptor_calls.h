// DescriptorCalls: what can be asked of any descriptor.
#pragma once

#include <penstock/runtime/export.h>

namespace penstock {

// See runtime/system/system_calls.h.
class PENSTOCK_API DescriptorCalls {
 public:
  virtual ~DescriptorCalls() = default;

  virtual int close(int fd) noexcept;
  virtual int setNonBlocking(int fd, bool nonBlocking) noexcept;  // fcntl(2), O_NONBLOCK.
  virtual int setCloseOnExec(int fd) noexcept;                    // fcntl(2), FD_CLOEXEC.
  virtual int openReserve() noexcept;  // A descriptor held back for when none is left.
};

PENSTOCK_API DescriptorCalls& descriptorCalls() noexcept;

}  // namespace penstock
