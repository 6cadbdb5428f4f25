#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/uring/buffer_ring.h>
#include <penstock/runtime/uring/probe.h>
#include <penstock/runtime/uring/probe_operations.h>
#include <penstock/runtime/uring/ring.h>
#include <penstock/runtime/uring/ring_calls.h>
#include <penstock/runtime/uring/trial_ring.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <system_error>

namespace penstock::uring {
namespace {

constexpr std::uint16_t kGroup = 0;
constexpr std::uint16_t kBuffers = 8;
constexpr std::uint32_t kBufferSize = 256;

bool worksWaitTimeout(TrialRing& trial) noexcept {
  RingCalls calls;
  return calls.enter(trial.ring(), 0, 1, IORING_ENTER_GETEVENTS, Duration(1000)) == -ETIME;
}

// Buffers of a group for a trial, registered with its ring.
class TrialBuffers {
 public:
  explicit TrialBuffers(TrialRing& trial) noexcept : trial_(trial) {
    if (::posix_memalign(&ring_, 4096, 4096) != 0) return;
    std::memset(ring_, 0, 4096);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uint64_t>(ring_);
    registration.ring_entries = kBuffers;
    registration.bgid = kGroup;
    RingCalls calls;
    works_ = calls.registerWith(trial.ring(), IORING_REGISTER_PBUF_RING, &registration, 1) == 0;
    auto* entries = static_cast<io_uring_buf*>(ring_);
    for (std::uint16_t id = 0; id < kBuffers; ++id) {
      entries[id].addr = reinterpret_cast<std::uint64_t>(memory_.data() + id * kBufferSize);
      entries[id].len = kBufferSize;
      entries[id].bid = id;
    }
    io_uring_smp_store_release(&static_cast<io_uring_buf_ring*>(ring_)->tail, kBuffers);
  }
  ~TrialBuffers() {
    io_uring_buf_reg registration{};
    registration.bgid = kGroup;
    RingCalls calls;
    if (works_) calls.registerWith(trial_.ring(), IORING_UNREGISTER_PBUF_RING, &registration, 1);
    std::free(ring_);
  }
  TrialBuffers(const TrialBuffers&) = delete;
  TrialBuffers& operator=(const TrialBuffers&) = delete;

  bool works() const noexcept { return works_; }

 private:
  TrialRing& trial_;
  void* ring_ = nullptr;
  std::array<char, kBuffers * kBufferSize> memory_;
  bool works_ = false;
};

bool worksBufferRing(TrialRing& trial, std::uint16_t receiveFlags, bool wantMore) {
  const Pair pair;
  if (!pair.near) return false;
  auto buffers = std::make_unique<TrialBuffers>(trial);
  if (!buffers->works()) return false;
  const std::array<char, 2 * kBufferSize> data{};
  if (::send(pair.far.get(), data.data(), data.size(), MSG_NOSIGNAL) < 0) return false;
  const io_uring_cqe answer = trial.ask([&](io_uring_sqe& entry) {
    io_uring_prep_recv(&entry, pair.near.get(), nullptr, 0, 0);
    entry.flags |= IOSQE_BUFFER_SELECT;
    entry.buf_group = kGroup;
    entry.ioprio |= receiveFlags;
  });
  const bool more = (answer.flags & IORING_CQE_F_MORE) != 0;
  const bool works =
      answer.res == kBufferSize && (answer.flags & IORING_CQE_F_BUFFER) && more == wantMore;
  if (more) trial.end(answer.user_data);  // The kernel may still write into the buffers.
  return works;
}

// To its own sender: nothing else is needed for a network socket that is connected.
bool worksZeroCopySend(TrialRing& trial) {
  const OwnedFd self(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* address = reinterpret_cast<sockaddr*>(&name);
  socklen_t length = sizeof name;
  if (::bind(self.get(), address, length) < 0) return false;
  ::getsockname(self.get(), address, &length);
  if (::connect(self.get(), address, length) < 0) return false;
  static constexpr char kByte = 'x';  // The kernel may look at it later.
  const io_uring_cqe answer = trial.ask([&](io_uring_sqe& entry) {
    io_uring_prep_send_zc(&entry, self.get(), &kByte, 1, MSG_NOSIGNAL, kSendZeroCopyReportUsage);
  });
  return answer.res == 1 && (!(answer.flags & IORING_CQE_F_MORE) ||
                             (trial.next(answer.user_data).flags & IORING_CQE_F_NOTIF));
}

constexpr const char* kWorks =
    "io_uring works: each operation that it needs was submitted and completed";

// What the first usable ring of this process could do, with kKnown. No lock: two threads that look
// at the same time find the same, and a forked child may look at any time.
constexpr std::uint32_t kKnown = 1U << 31;
std::atomic<std::uint32_t> known{0};

std::uint32_t featuresOn(TrialRing& trial) {
  std::uint32_t found = 0;
  const auto add = [&](Feature feature, bool works) {
    if (works) found |= feature;
  };
  add(kDeferTaskrun, trial.defersTaskrun());
  add(kWaitTimeout, worksWaitTimeout(trial));
  add(kBufferRing, worksBufferRing(trial, 0, false));
  add(kMultishotReceive, worksBufferRing(trial, IORING_RECV_MULTISHOT, true));
  add(kZeroCopySend, worksZeroCopySend(trial));
  return found;
}

Usability usabilityOn(TrialRing& trial) {
  const int result = trial.ask([](io_uring_sqe& entry) { io_uring_prep_nop(&entry); }).res;
  if (result != 0) {
    return {false,
            "a ring can be made but not used: io_uring_enter failed with " +
                std::system_category().message(-result),
            "allow io_uring_enter in the seccomp filter"};
  }
  for (const OperationProbe& operation : probeEssentials(trial)) {
    if (operation.works) continue;
    return {false, std::string("the io_uring of this kernel has no ") + operation.name,
            "use Linux 5.10 or newer, or lift the restriction on it"};
  }
  return {true, kWorks, ""};
}

std::string disabledBySysctl() {
  std::ifstream file("/proc/sys/kernel/io_uring_disabled");
  std::string value;
  return file >> value && value != "0" ? value : "";
}

}  // namespace

Usability explainRefusal(int error) {
  const std::string sysctl = disabledBySysctl();
  if (error == -EPERM && !sysctl.empty()) {
    return {false, "io_uring is disabled here: kernel.io_uring_disabled is " + sysctl,
            "set it with: sysctl kernel.io_uring_disabled=0"};
  }
  if (error == -EPERM || error == -EACCES) {
    return {false, "io_uring is refused, as by a seccomp filter or a security module",
            "allow io_uring_setup, io_uring_enter and io_uring_register in the filter, for "
            "containers with a seccomp profile that has them"};
  }
  if (error == -ENOSYS) {
    return {false, "this kernel, or a seccomp filter on it, has no io_uring",
            "use Linux 5.10 or newer with CONFIG_IO_URING, and allow its system calls"};
  }
  if (error == -ENOMEM) {
    return {false, "the limit of locked memory is too small for a ring",
            "raise it: ulimit -l 1024, or LimitMEMLOCK= in the service"};
  }
  if (error == -EINVAL) {
    return {false, "this kernel's io_uring is too old", "use Linux 5.10 or newer"};
  }
  return {false, "io_uring_setup failed: " + std::system_category().message(-error),
          "run penstock doctor on the machine and report what it prints"};
}

Usability probeUsability() { return ringCalls().usability(); }

Usability probeKernel() {
  if (known.load() & kKnown) return {true, kWorks, ""};
  TrialRing trial;
  if (trial.error() != 0) return explainRefusal(trial.error());
  Usability found = usabilityOn(trial);
  if (found.usable) known.store(kKnown | featuresOn(trial));
  return found;
}

std::optional<std::uint32_t> knownFeatures() noexcept {
  if (!(known.load() & kKnown)) probeKernel();
  const std::uint32_t found = known.load();
  if (!(found & kKnown)) return std::nullopt;
  return found & ~kKnown;
}

}  // namespace penstock::uring
