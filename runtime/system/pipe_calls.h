// PipeCalls: pipes, and moving bytes between descriptors inside the kernel.
#pragma once

#include <penstock/runtime/bytes.h>
#include <penstock/runtime/export.h>

#include <sys/types.h>

#include <cstddef>

namespace penstock {

// See runtime/system/system_calls.h.
class PENSTOCK_API PipeCalls {
 public:
  virtual ~PipeCalls() = default;

  virtual int pipe(int (&fds)[2]) noexcept;              // Both ends non-blocking, close-on-exec.
  virtual int setPipeSize(int pipe, int size) noexcept;  // fcntl(2), F_SETPIPE_SZ.
  virtual ssize_t splice(int from, int to, std::size_t most) noexcept;
  virtual ssize_t read(int fd, MutableBytes into) noexcept;
};

PENSTOCK_API PipeCalls& pipeCalls() noexcept;

}  // namespace penstock
