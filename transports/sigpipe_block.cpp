#include <penstock/transports/sigpipe_block.h>

#include <cerrno>

namespace penstock {
namespace {

sigset_t onlySigpipe() noexcept {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGPIPE);
  return set;
}

bool isPending() noexcept {
  sigset_t pending;
  return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

}  // namespace

// Only who had it blocked before can have one pending.
SigpipeBlock::SigpipeBlock() noexcept {
  const sigset_t set = onlySigpipe();
  pthread_sigmask(SIG_BLOCK, &set, &before_);
  wasPending_ = wasBlocked() && isPending();
}

SigpipeBlock::~SigpipeBlock() {
  if (raised_ && !wasPending_) {
    const sigset_t set = onlySigpipe();
    constexpr timespec kNoWait{0, 0};
    while (sigtimedwait(&set, nullptr, &kNoWait) < 0 && errno == EINTR) {
    }
  }
  if (!wasBlocked()) pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace penstock
