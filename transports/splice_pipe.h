// SplicePipe: what is on its way from one descriptor to another inside the kernel.
#pragma once

#include <penstock/runtime/bytes.h>
#include <penstock/runtime/system/pipe_pool.h>

#include <sys/types.h>

#include <cstddef>

namespace penstock {

// Holds a pipe of the pool only while bytes are in it. All results are counts or -errno.
class SplicePipe {
 public:
  explicit SplicePipe(PipePool& pool) noexcept : pool_(pool) {}
  ~SplicePipe() { clear(); }
  SplicePipe(const SplicePipe&) = delete;
  SplicePipe& operator=(const SplicePipe&) = delete;

  bool empty() const noexcept { return held_ == 0; }
  std::size_t size() const noexcept { return held_; }

  // Takes at most `most` bytes from `source`; only when it is empty. `bulk`: much will come.
  ssize_t fill(int source, std::size_t most, bool bulk);

  // Gives bytes to `sink` until it is empty (0), or why not. Raises no SIGPIPE.
  int drain(int sink);

  // Takes bytes out of it into memory.
  ssize_t takeOut(MutableBytes into);

  // Drops what it holds. An empty one refers to nothing of the reactor.
  void clear() noexcept;

  // Whether `result` says that splicing cannot go on here, and nothing about the connection.
  static bool cannotSplice(ssize_t result) noexcept;

  // Whether it says that this process may not splice at all.
  static bool forbidden(ssize_t result) noexcept;

 private:
  void taken(ssize_t count);

  PipePool& pool_;
  Pipe pipe_;
  std::size_t held_ = 0;
};

}  // namespace penstock
