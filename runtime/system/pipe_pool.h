// PipePool: pipes to splice through, of one reactor.
#pragma once

#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/time.h>
#include <penstock/runtime/timer.h>

#include <chrono>
#include <cstddef>
#include <vector>

namespace penstock {

class Reactor;

struct Pipe {
  OwnedFd readEnd;
  OwnedFd writeEnd;
  bool large = false;
};

// Keeps empty pipes, so that a direction of a relay holds one only while bytes are in it. Each
// reactor has its own: pipes that two processes or threads fill would mix their bytes.
//
// The capacity of pipes counts against a quota of the user (pipe(7), pipe-user-pages-soft), used or
// not. So a pipe is as small as the kernel makes it until bulk goes through it, only so many of a
// loop are large, and those that nobody needs are closed.
class PipePool {
 public:
  // How much a large pipe holds, in bytes, and how many of them there may be.
  static constexpr int kLargePipe = 1 << 20;
  static constexpr std::size_t kMostLarge = 16;

  // How many wait for the next use, and how long.
  static constexpr std::size_t kKept = 16;
  static constexpr Duration kKeptFor = std::chrono::seconds(1);

  explicit PipePool(Reactor& reactor);

  // Makes `pipe` an empty pipe. 0, or -errno where none can be had.
  int take(Pipe& pipe);

  // `pipe` must be empty.
  void give(Pipe pipe);

  // Closes `pipe`, whatever is in it.
  void drop(Pipe pipe) noexcept;

  // Makes `pipe` a large one, where the kernel and the number of large ones allow it.
  void enlarge(Pipe& pipe) noexcept;

  // Whether splicing is worth trying here; refuse(): it is forbidden, and will be.
  bool usable() const noexcept { return usable_; }
  void refuse() noexcept { usable_ = false; }

 private:
  void closeSpare();

  std::vector<Pipe> pipes_;
  std::size_t large_ = 0;   // In here or taken.
  std::size_t unused_ = 0;  // The fewest that have been in here since the timer was armed.
  bool usable_ = true;
  Timer spare_;
};

}  // namespace penstock
