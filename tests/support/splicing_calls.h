// SplicingCalls: calls for splicing that can be made to fail, and are counted.
#pragma once

#include <penstock/runtime/system/pipe_calls.h>

#include <cstddef>
#include <cstdint>

namespace penstock::testing {

// What becomes of the calls: 0, or the -errno that each of them returns.
struct Splicing {
  int pipe = 0;
  int fill = 0;   // From a socket into a pipe.
  int drain = 0;  // The other way round.
  int enlarge = 0;

  std::size_t calls = 0;  // Of pipe() and splice().
  std::size_t enlarged = 0;
  std::uint64_t filled = 0;  // Bytes.
};

// Hands the calls on to those that it found in place, a kernel's or a simulated one's.
class SplicingCalls final : public PipeCalls {
 public:
  int pipe(int (&fds)[2]) noexcept override;
  int setPipeSize(int pipe, int size) noexcept override;
  ssize_t splice(int from, int to, std::size_t most) noexcept override;
  ssize_t read(int fd, MutableBytes into) noexcept override { return below_->read(fd, into); }

  // Stands in for those that are in place, if they are others.
  void putInPlace();

  Splicing splicing;

 private:
  PipeCalls* below_ = nullptr;
};

// Those in place, with nothing failing and nothing counted yet. Before any reactor on real kernels.
Splicing& splicing();

}  // namespace penstock::testing
