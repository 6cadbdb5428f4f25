// SigpipeBlock: no SIGPIPE from system calls that know no MSG_NOSIGNAL.
#pragma once

#include <signal.h>

namespace penstock {

// While it lives, the thread gets no SIGPIPE, and the process's disposition stays what it is. Call
// raised() for each EPIPE: the signal that came with it is gone at the end, one that had been
// pending before is not.
class SigpipeBlock {
 public:
  SigpipeBlock() noexcept;
  ~SigpipeBlock();
  SigpipeBlock(const SigpipeBlock&) = delete;
  SigpipeBlock& operator=(const SigpipeBlock&) = delete;

  void raised() noexcept { raised_ = true; }

 private:
  bool wasBlocked() const noexcept { return sigismember(&before_, SIGPIPE) == 1; }

  sigset_t before_;
  bool wasPending_ = false;
  bool raised_ = false;
};

}  // namespace penstock
