// The io_uring system calls, in one place that a test can stand in for.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/time.h>
#include <penstock/runtime/uring/probe.h>

#include <liburing.h>

#include <cstdint>
#include <optional>

namespace penstock::uring {

// What the kernel was seen to do; see probeFeatures(). The bits of
// UringOptions::featuresOff.
enum Feature : std::uint32_t {
  kDeferTaskrun = 1 << 0,      // IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN (6.1).
  kWaitTimeout = 1 << 1,       // IORING_ENTER_EXT_ARG: a time limit on the wait (5.11).
  kBufferRing = 1 << 2,        // IORING_REGISTER_PBUF_RING (5.19).
  kMultishotReceive = 1 << 3,  // IORING_RECV_MULTISHOT (6.0).
  kZeroCopySend = 1 << 4,      // IORING_OP_SEND_ZC with IORING_SEND_ZC_REPORT_USAGE (6.2).
};

// What the header of liburing 2.3 lacks, by the names of newer ones.
inline constexpr std::uint16_t kAcceptPollFirst = 1U << 2;          // IORING_ACCEPT_POLL_FIRST
inline constexpr std::uint16_t kSendZeroCopyReportUsage = 1U << 3;  // IORING_SEND_ZC_REPORT_USAGE
inline constexpr int kNotificationCopied =
    static_cast<int>(1U << 31);  // IORING_NOTIF_USAGE_ZC_COPIED

// Locked memory of rings that have gone comes back some time later (most within 50 ms): for a setup
// that fails with ENOMEM, the waits before it is tried again.
class MemoryPatience {
 public:
  // Sleeps a little. False: that was enough, the memory is not there.
  bool wait() noexcept;

 private:
  static constexpr Duration kLimit = std::chrono::milliseconds(250);

  Duration waited_ = Duration::zero();
  Duration next_ = std::chrono::milliseconds(1);
};

// Each is the call of its name and returns its result or -errno.
class PENSTOCK_API RingCalls {
 public:
  virtual ~RingCalls() = default;

  // io_uring_queue_init_params: fills `ring` and `params`.
  virtual int setup(unsigned entries, io_uring& ring, io_uring_params& params) noexcept;
  virtual void exit(io_uring& ring) noexcept;

  // io_uring_enter. `timeout` only where the kernel has kWaitTimeout.
  virtual int enter(io_uring& ring, unsigned submit, unsigned waitFor, unsigned flags,
                    std::optional<Duration> timeout) noexcept;

  // io_uring_register.
  virtual int registerWith(io_uring& ring, unsigned opcode, void* argument, unsigned n) noexcept;

  // Which features work, found by trying each; a bit set of Feature. The kernel's answer is found
  // once a process, as soon as there was memory for a ring to try them on.
  virtual std::uint32_t features() noexcept;

  // Whether a loop can be made of them.
  virtual Usability usability();
};

// Those in use by this process: the kernel's, or what a test put in their place.
PENSTOCK_API RingCalls& ringCalls() noexcept;

// Puts `calls` in place (null: the kernel's) and returns what was there. Before any reactor.
PENSTOCK_API RingCalls* replaceRingCalls(RingCalls* calls) noexcept;

}  // namespace penstock::uring
