#include <penstock/runtime/errors.h>
#include <penstock/runtime/uring/ring.h>

#include <cerrno>
#include <cstring>
#include <new>

namespace penstock::uring {
namespace {

// What is prepared for a ring that is detached.
thread_local io_uring_sqe unheeded;

}  // namespace

Ring::Ring(RingCalls& calls, std::uint32_t features) : calls_(calls), features_(features) {
  const int result = setup();
  if (result < 0) throwErrno(result, "io_uring_setup");
  if (const int refused = tryEntering(); refused < 0) {
    calls_.exit(ring_);
    throwErrno(refused, "io_uring_enter");
  }
  limitWorkers();
  spilled_.reserve(ring_.cq.ring_entries);
  // Entries are submitted in the order of their places; rings without the array skip this.
  for (unsigned i = 0; ring_.sq.array && i < ring_.sq.ring_entries; ++i) ring_.sq.array[i] = i;
}

Ring::~Ring() { calls_.exit(ring_); }

// Locked memory that another ring gave back a moment ago may not be there yet.
int Ring::setup() noexcept {
  MemoryPatience patience;
  int result = setupOnce();
  while (result == -ENOMEM && patience.wait()) result = setupOnce();
  return result;
}

// The best flags first; each set that the kernel refuses gives way to a plainer one. Locked memory
// may allow only a smaller ring. A ring for one thread starts disabled, so that this may be another
// thread than the one that will use it.
int Ring::setupOnce() noexcept {
  constexpr unsigned kDeferred = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP |
                                 IORING_SETUP_R_DISABLED;
  constexpr unsigned kCooperative =
      IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CLAMP;
  int result = -EINVAL;
  for (unsigned entries = kEntries; entries >= kLeastEntries; entries /= 2) {
    result = has(kDeferTaskrun) ? trySetup(entries, kDeferred) : -EINVAL;
    if (result == -EINVAL) result = trySetup(entries, kCooperative);
    if (result == -EINVAL) result = trySetup(entries, 0);
    if (result != -ENOMEM) break;
  }
  return result;
}

int Ring::trySetup(unsigned entries, unsigned flags) noexcept {
  io_uring_params params{};
  params.flags = flags | IORING_SETUP_CQSIZE;
  params.cq_entries = entries * kCompletionsPerEntry;
  setupFlags_ = params.flags;
  enabled_ = (setupFlags_ & IORING_SETUP_R_DISABLED) == 0;
  return calls_.setup(entries, ring_, params);
}

// A filter of system calls may allow a setup and nothing else. Enters for nothing, which a ring
// that is not enabled answers with an error of its own.
int Ring::tryEntering() noexcept {
  const int result = calls_.enter(ring_, 0, 0, 0, std::nullopt);
  const bool refused = result == -EPERM || result == -EACCES || result == -ENOSYS;
  return refused ? result : 0;
}

// Kernels before 5.15 have no such limit.
void Ring::limitWorkers() noexcept {
  unsigned limits[2] = {kMostWorkers, kMostWorkers};
  calls_.registerWith(ring_, IORING_REGISTER_IOWQ_MAX_WORKERS, limits, 2);
}

void Ring::enable() {
  const int result = calls_.registerWith(ring_, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  if (result < 0) throwErrno(result, "io_uring_register(IORING_REGISTER_ENABLE_RINGS)");
  enabled_ = true;
}

unsigned Ring::prepared() noexcept {
  return ring_.sq.sqe_tail - IO_URING_READ_ONCE(*ring_.sq.khead);
}

io_uring_sqe& Ring::nextEntry(unsigned* slot) {
  io_uring_sq& queue = ring_.sq;
  while (prepared() == queue.ring_entries) {
    if (detached_) return unheeded;
    submit();
  }
  const unsigned place = queue.sqe_tail++ & queue.ring_mask;
  if (slot) *slot = place;
  io_uring_sqe& entry = queue.sqes[place];
  std::memset(&entry, 0, sizeof entry);
  return entry;
}

void Ring::submit() {
  if (prepared() > 0) handOver(0, 0, std::nullopt);
}

void Ring::enter(unsigned waitFor, std::optional<Duration> timeout) {
  if (waitFor == 0) timeout = std::nullopt;
  if (timeout && !has(kWaitTimeout)) {
    addTimeout(*timeout);
    timeout = std::nullopt;
  }
  handOver(waitFor, IORING_ENTER_GETEVENTS, timeout);
}

// Completes after the time, or with the first other completion. Nobody waits for its own. The
// kernel reads the time when it takes the entry, which need not be at the first try.
void Ring::addTimeout(Duration timeout) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(timeout);
  waitLimit_ = {seconds.count(), (timeout - seconds).count()};
  io_uring_prep_timeout(&nextEntry(), &waitLimit_, 1, 0);
}

void Ring::handOver(unsigned waitFor, unsigned flags, std::optional<Duration> timeout) {
  if (detached_) return;
  if (!enabled_) enable();
  io_uring_smp_store_release(ring_.sq.ktail, ring_.sq.sqe_tail);
  const int result = calls_.enter(ring_, prepared(), waitFor, flags, timeout);
  switch (-result) {
    case EINTR:
    case ETIME:
      return;  // What was not taken is still prepared.
    case EBUSY:
    case EAGAIN:
      return spill();  // The kernel has no room for completions, or no memory just now.
    case EEXIST:
      throwErrno(result, "a ring is for the thread that first used it: io_uring_enter");
    default:
      if (result < 0) throwErrno(result, "io_uring_enter");
  }
}

void Ring::spill() noexcept {
  io_uring_cq& queue = ring_.cq;
  unsigned head = *queue.khead;
  while (head != io_uring_smp_load_acquire(queue.ktail)) {
    if (!spillOne(queue.cqes[head & queue.ring_mask])) return;
    io_uring_smp_store_release(queue.khead, ++head);
  }
}

// False: there is no memory. The completion stays where it is, and whoever waits for room tries
// again: nothing of the loop can be given up in its place.
bool Ring::spillOne(const io_uring_cqe& completion) noexcept {
  try {
    spilled_.push_back(completion);
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

std::size_t Ring::completions() const noexcept {
  const unsigned inQueue = io_uring_smp_load_acquire(ring_.cq.ktail) - *ring_.cq.khead;
  return spilled_.size() - spilledTaken_ + inQueue;
}

bool Ring::take(io_uring_cqe& completion) noexcept {
  if (spilledTaken_ < spilled_.size()) {
    completion = spilled_[spilledTaken_++];
    return true;
  }
  spilled_.clear();
  spilledTaken_ = 0;
  io_uring_cq& queue = ring_.cq;
  const unsigned head = *queue.khead;
  if (head == io_uring_smp_load_acquire(queue.ktail)) return false;
  completion = queue.cqes[head & queue.ring_mask];
  io_uring_smp_store_release(queue.khead, head + 1);
  return true;
}

int Ring::registerBufferRing(io_uring_buf_reg& registration) noexcept {
  return calls_.registerWith(ring_, IORING_REGISTER_PBUF_RING, &registration, 1);
}

int Ring::registerEvent(int event) noexcept {
  return calls_.registerWith(ring_, IORING_REGISTER_EVENTFD, &event, 1);
}

}  // namespace penstock::uring
