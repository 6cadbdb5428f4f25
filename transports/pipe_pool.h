// PipePool: pipes to splice through, shared by the relays of a thread.
#pragma once

#include <penstock/runtime/owned_fd.h>

#include <cstddef>
#include <vector>

namespace penstock {

struct Pipe {
  OwnedFd readEnd;
  OwnedFd writeEnd;
};

// Keeps a few empty pipes, so that a direction holds one only while bytes are in it.
class PipePool {
 public:
  // How much a pipe holds, where the limit on pipes allows it, in bytes.
  static constexpr int kSplicePipe = 1 << 20;

  // An empty pipe, or none (an empty readEnd) when no more can be had.
  Pipe take();

  // `pipe` must be empty.
  void give(Pipe pipe);

  static PipePool& ofThisThread();

 private:
  static constexpr std::size_t kKept = 16;
  std::vector<Pipe> pipes_;
};

}  // namespace penstock
