#include <penstock/runtime/uring/probe.h>
#include <penstock/runtime/uring/ring_calls.h>

#include <algorithm>
#include <atomic>
#include <thread>

namespace penstock::uring {
namespace {

std::atomic<RingCalls*> replacement{nullptr};

}  // namespace

int RingCalls::setup(unsigned entries, io_uring& ring, io_uring_params& params) noexcept {
  return io_uring_queue_init_params(entries, &ring, &params);
}

void RingCalls::exit(io_uring& ring) noexcept { io_uring_queue_exit(&ring); }

int RingCalls::enter(io_uring& ring, unsigned submit, unsigned waitFor, unsigned flags,
                     std::optional<Duration> timeout) noexcept {
  if (!timeout) {
    return io_uring_enter2(static_cast<unsigned>(ring.enter_ring_fd), submit, waitFor, flags,
                           nullptr, _NSIG / 8);
  }
  const auto seconds = std::chrono::floor<std::chrono::seconds>(*timeout);
  __kernel_timespec limit{seconds.count(), (*timeout - seconds).count()};
  io_uring_getevents_arg argument{};
  argument.ts = reinterpret_cast<std::uint64_t>(&limit);
  return io_uring_enter2(static_cast<unsigned>(ring.enter_ring_fd), submit, waitFor,
                         flags | IORING_ENTER_EXT_ARG, reinterpret_cast<sigset_t*>(&argument),
                         sizeof argument);
}

int RingCalls::registerWith(io_uring& ring, unsigned opcode, void* argument, unsigned n) noexcept {
  return io_uring_register(static_cast<unsigned>(ring.ring_fd), opcode, argument, n);
}

std::uint32_t RingCalls::features() noexcept { return knownFeatures().value_or(0); }

Usability RingCalls::usability() { return probeKernel(); }

bool MemoryPatience::wait() noexcept {
  if (waited_ >= kLimit) return false;
  const Duration duration = std::min(next_, kLimit - waited_);
  std::this_thread::sleep_for(duration);
  waited_ += duration;
  next_ *= 2;
  return true;
}

RingCalls& ringCalls() noexcept {
  static RingCalls kernel;
  RingCalls* other = replacement.load(std::memory_order_acquire);
  return other ? *other : kernel;
}

RingCalls* replaceRingCalls(RingCalls* calls) noexcept {
  return replacement.exchange(calls, std::memory_order_acq_rel);
}

}  // namespace penstock::uring
