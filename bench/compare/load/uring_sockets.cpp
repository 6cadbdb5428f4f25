#include <penstock/bench/compare/load/client_socket.h>
#include <penstock/bench/compare/load/uring_sockets.h>
#include <penstock/bench/compare/usage.h>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <utility>

namespace penstock::compare {
namespace {

constexpr unsigned kEntries = 1024;
constexpr unsigned kCompletions = 8 * kEntries;
constexpr std::size_t kSmallest = 4096;  // Of a buffer.
constexpr std::size_t kLargest = 65536;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;

// As new kernels like it best; older ones refuse that, and get the plain one. 0 or -errno.
int makeRing(io_uring& ring, bool& deferred) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = kCompletions;
  deferred = io_uring_queue_init_params(kEntries, &ring, &params) == 0;
  if (deferred) return 0;
  params = {};
  params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = kCompletions;
  return io_uring_queue_init_params(kEntries, &ring, &params);
}

}  // namespace

bool UringSockets::work() {
  io_uring ring{};
  bool deferred = false;
  if (makeRing(ring, deferred) < 0) return false;
  // A wait with a time limit of its own; and a full queue of completions that loses none.
  constexpr unsigned kNeeded = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_FAST_POLL;
  const bool good = (ring.features & kNeeded) == kNeeded;
  io_uring_queue_exit(&ring);
  return good;
}

UringSockets::UringSockets(Events& events, std::size_t mostAtOnce)
    : listener_(events), bufferSize_(std::clamp(mostAtOnce, kSmallest, kLargest)) {
  errno = -makeRing(ring_, deferred_);
  checked(-errno, "io_uring_setup");
}

UringSockets::~UringSockets() {
  try {
    cancelAll();
  } catch (const std::exception&) {
    // The ring is broken; closing it ends what is left.
  }
  io_uring_queue_exit(&ring_);
  for (const Socket& socket : sockets_) closeWithReset(socket.fd);
}

// The kernel may write into a buffer until the read of it has completed.
void UringSockets::cancelAll() {
  constexpr std::int64_t kPatienceNs = kNsPerSecond;
  for (std::uint32_t i = 0; i < sockets_.size(); ++i) {
    if (!sockets_[i].reading) continue;
    io_uring_prep_cancel64(&entry(i, Operation::kCancel), nameOf(i, Operation::kRead), 0);
  }
  const std::int64_t end = monotonicNs() + kPatienceNs;
  while (underWay_ > 0 && monotonicNs() < end) {
    enter(end);
    while (io_uring_cq_ready(&ring_) > 0) take();
  }
}

void UringSockets::add(int fd) { sockets_.emplace_back().fd = fd; }

void UringSockets::send(std::uint32_t index, std::span<const std::byte> bytes) {
  sockets_[index].unsent = bytes;
  // The completion of a send that failed must not be found too late, behind a queue that is full.
  const bool mayTry = deferred_ && sockets_.size() <= kCompletions / 2;
  mayTry ? trySend(index) : sendRest(index);
  if (!sockets_[index].reading) read(index);
}

void UringSockets::turn(std::int64_t untilNs) {
  enter(untilNs);
  settleTries();
  for (unsigned left = io_uring_cq_ready(&ring_); left > 0; --left) {
    const Completion completion = take();
    completed(completion.name, completion.result);
  }
}

// Its place is free before it is handled, which may throw.
UringSockets::Completion UringSockets::take() {
  io_uring_cqe* next = nullptr;
  io_uring_peek_cqe(&ring_, &next);
  const Completion completion{next->user_data, next->res};
  io_uring_cq_advance(&ring_, 1);
  if (operationOf(completion.name) != Operation::kTry) --underWay_;
  return completion;
}

// What was tried has gone, unless there is a completion.
void UringSockets::settleTries() {
  if (io_uring_sq_ready(&ring_) > 0) return;  // Not all was handed over.
  io_uring_cqe* completion;
  unsigned head;
  io_uring_for_each_cqe(&ring_, head, completion) {
    const std::uint64_t name = completion->user_data;
    if (operationOf(name) == Operation::kTry) sockets_[indexOf(name)].tried = false;
  }
  settling_.swap(tried_);
  for (const std::uint32_t index : settling_) {
    Socket& socket = sockets_[index];
    if (std::exchange(socket.tried, false)) listener_.sent(index);
  }
  settling_.clear();
}

void UringSockets::enter(std::int64_t untilNs) {
  const std::int64_t left = untilNs - monotonicNs();
  int result = 0;
  if (left <= 0 || io_uring_cq_ready(&ring_) > 0) {
    result = io_uring_submit_and_get_events(&ring_);
  } else {
    __kernel_timespec limit{left / kNsPerSecond, left % kNsPerSecond};
    io_uring_cqe* first = nullptr;
    result = io_uring_submit_and_wait_timeout(&ring_, &first, 1, &limit, nullptr);
  }
  // EBUSY, EAGAIN: completions are to be taken first; what was not handed over waits for its turn.
  if (result >= 0 || result == -ETIME || result == -EINTR || result == -EBUSY || result == -EAGAIN)
    return;
  errno = -result;
  checked(-1, "io_uring_enter");
}

std::uint64_t UringSockets::nameOf(std::uint32_t index, Operation operation) {
  return (std::uint64_t{index} << kOperationBits) | static_cast<std::uint64_t>(operation);
}

UringSockets::Operation UringSockets::operationOf(std::uint64_t name) {
  return static_cast<Operation>(name & ((1U << kOperationBits) - 1));
}

std::uint32_t UringSockets::indexOf(std::uint64_t name) {
  return static_cast<std::uint32_t>(name >> kOperationBits);
}

io_uring_sqe& UringSockets::entry(std::uint32_t index, Operation operation) {
  io_uring_sqe* free = io_uring_get_sqe(&ring_);
  while (free == nullptr) {
    io_uring_submit(&ring_);
    free = io_uring_get_sqe(&ring_);
  }
  if (operation != Operation::kTry) ++underWay_;
  *free = {};
  free->user_data = nameOf(index, operation);
  return *free;
}

void UringSockets::trySend(std::uint32_t index) {
  constexpr int kFlags = MSG_NOSIGNAL | MSG_WAITALL | MSG_DONTWAIT;
  Socket& socket = sockets_[index];
  io_uring_sqe& request = entry(index, Operation::kTry);
  io_uring_prep_send(&request, socket.fd, socket.unsent.data(), socket.unsent.size(), kFlags);
  request.flags = IOSQE_CQE_SKIP_SUCCESS;
  socket.tried = true;
  tried_.push_back(index);
}

// Completes when all has gone, however long the server does not read.
void UringSockets::sendRest(std::uint32_t index) {
  const Socket& socket = sockets_[index];
  io_uring_prep_send(&entry(index, Operation::kSend), socket.fd, socket.unsent.data(),
                     socket.unsent.size(), MSG_NOSIGNAL | MSG_WAITALL);
}

void UringSockets::read(std::uint32_t index) {
  Socket& socket = sockets_[index];
  if (!socket.into) socket.into = std::make_unique_for_overwrite<std::byte[]>(bufferSize_);
  io_uring_sqe& request = entry(index, Operation::kRead);
  io_uring_prep_recv(&request, socket.fd, socket.into.get(), bufferSize_, 0);
  // It follows a send, so that a first try would find nothing.
  if (deferred_) request.ioprio = IORING_RECVSEND_POLL_FIRST;
  socket.reading = true;
}

void UringSockets::completed(std::uint64_t name, int result) {
  switch (operationOf(name)) {
    case Operation::kTry:
      sockets_[indexOf(name)].tried = false;
      return sendCompleted(indexOf(name), result);
    case Operation::kSend:
      return sendCompleted(indexOf(name), result);
    case Operation::kRead:
      return readCompleted(indexOf(name), result);
    case Operation::kCancel:
      return;
  }
}

// Older kernels do not wait until all has gone.
void UringSockets::sendCompleted(std::uint32_t index, int result) {
  if (result < 0 && result != -EAGAIN && result != -EINTR) sendFailed(-result);
  Socket& socket = sockets_[index];
  socket.unsent = socket.unsent.subspan(static_cast<std::size_t>(std::max(result, 0)));
  if (!socket.unsent.empty()) return sendRest(index);
  listener_.sent(index);
}

void UringSockets::readCompleted(std::uint32_t index, int result) {
  Socket& socket = sockets_[index];
  socket.reading = false;
  const bool again = result == -EAGAIN || result == -EINTR;
  if (result <= 0 && !again) receiveFailed(-result);
  if (!again) {
    listener_.received(index, {socket.into.get(), static_cast<std::size_t>(result)});
  }
  // An answer to what came has asked for the next read already, behind its send.
  if (!socket.reading) read(index);
}

}  // namespace penstock::compare
