#include <penstock/sim/ring.h>
#include <penstock/sim/ring_calls.h>

#include <bit>
#include <cerrno>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace penstock::sim {

int RingCalls::setup(unsigned entries, io_uring& ring, io_uring_params& params) noexcept {
  constexpr unsigned kDeferred = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  const auto lock = machine_.lock();
  const bool deferred = (params.flags & kDeferred) != 0;
  if (entries > machine_.largestRing) return -ENOMEM;
  if (deferred && !(machine_.ringFeatures & uring::kDeferTaskrun)) return -EINVAL;
  auto made = std::make_shared<Ring>(machine_, std::bit_ceil(entries), params);
  Ring& described = *made;
  const int fd = machine_.install(std::move(made));
  if (fd < 0) return fd;
  described.describe(ring, params);
  ring.ring_fd = ring.enter_ring_fd = fd;
  return 0;
}

void RingCalls::exit(io_uring& ring) noexcept {
  const auto lock = machine_.lock();
  const auto ended = std::dynamic_pointer_cast<Ring>(machine_.file(ring.ring_fd));
  if (!ended) return;
  ended->end();
  machine_.close(ring.ring_fd);
}

// As in the kernel, an error of the wait is told only if nothing was submitted.
int RingCalls::enter(io_uring& ring, unsigned submit, unsigned waitFor, unsigned flags,
                     std::optional<Duration> timeout) noexcept {
  auto lock = machine_.lock();
  World& world = machine_.world;
  const auto entered = std::dynamic_pointer_cast<Ring>(machine_.file(ring.enter_ring_fd));
  if (!entered) return -EBADF;
  if (!entered->enabled()) return -EBADFD;
  if (world.chance(world.faults().busy)) {
    world.step();
    return world.chance(0.5) ? -EBUSY : -EAGAIN;
  }
  const int submitted = static_cast<int>(entered->submit(submit));
  if (!(flags & IORING_ENTER_GETEVENTS)) return submitted;
  if (world.chance(world.faults().interrupted)) {
    world.step();
    return submitted > 0 ? submitted : -EINTR;
  }
  const auto enough = [&] {
    entered->run();
    return entered->completions() >= waitFor;
  };
  const bool ended = machine_.await(lock, enough, timeout, entered->realDescriptors());
  return submitted > 0 || ended ? submitted : -ETIME;
}

int RingCalls::registerWith(io_uring& ring, unsigned opcode, void* argument, unsigned n) noexcept {
  const auto lock = machine_.lock();
  const auto asked = std::dynamic_pointer_cast<Ring>(machine_.file(ring.ring_fd));
  if (!asked) return -EBADF;
  if (n == 0 && opcode == IORING_REGISTER_ENABLE_RINGS) return asked->enable();
  if (n == 2 && opcode == IORING_REGISTER_IOWQ_MAX_WORKERS) return 0;  // There are no threads.
  if (n == 1 && opcode == IORING_REGISTER_PBUF_RING) {
    if (!(machine_.ringFeatures & uring::kBufferRing)) return -EINVAL;
    return asked->registerBuffers(*static_cast<io_uring_buf_reg*>(argument));
  }
  if (n == 1 && opcode == IORING_UNREGISTER_PBUF_RING) {
    return asked->unregisterBuffers(static_cast<io_uring_buf_reg*>(argument)->bgid);
  }
  machine_.world.violation("io_uring_register " + std::to_string(opcode) + " is not simulated");
  return -EINVAL;
}

}  // namespace penstock::sim
