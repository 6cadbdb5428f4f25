#include <penstock/tests/traces/watched_ring.h>

#include <liburing.h>
#include <sys/socket.h>

#include <utility>

namespace penstock::traces {

WatchedRing::WatchedRing(Application& application, int descriptor)
    : application_(application), below_(uring::replaceRingCalls(this)), descriptor_(descriptor) {}

WatchedRing::~WatchedRing() { uring::replaceRingCalls(below_); }

bool WatchedRing::takeNewWrite() {
  return write_ && std::exchange(write_->isNew, false) && write_->length > 0;
}

int WatchedRing::setup(unsigned entries, io_uring& ring, io_uring_params& params) noexcept {
  return below_->setup(entries, ring, params);
}

int WatchedRing::enter(io_uring& ring, unsigned submit, unsigned waitFor, unsigned flags,
                       std::optional<Duration> timeout) noexcept {
  noteSubmissions(ring);
  if (std::exchange(cancelsAgain_, false)) submit += submitCancels(ring);
  const int result = below_->enter(ring, submit, waitFor, flags, timeout);
  noteCompletions(ring);
  return result;
}

int WatchedRing::registerWith(io_uring& ring, unsigned opcode, void* argument,
                              unsigned n) noexcept {
  return below_->registerWith(ring, opcode, argument, n);
}

void WatchedRing::noteSubmissions(io_uring& ring) {
  const unsigned tail = io_uring_smp_load_acquire(ring.sq.ktail);
  for (; submitted_ != tail; ++submitted_) {
    noteSubmission(ring.sq.sqes[submitted_ & ring.sq.ring_mask]);
  }
}

void WatchedRing::noteSubmission(io_uring_sqe& entry) {
  if (entry.opcode == IORING_OP_NOP) {
    const std::uint64_t userData = entry.user_data;
    io_uring_prep_send(&entry, descriptor_, nullptr, 0, MSG_NOSIGNAL);
    entry.user_data = userData;
    write_ = Write{userData, 0};
  }
  if (entry.opcode == IORING_OP_ASYNC_CANCEL) cancelled_.insert(entry.addr);
  if (entry.fd != descriptor_) return;
  if (entry.opcode == IORING_OP_RECV) {
    if (read_) application_.complain("two reads are in flight");
    read_ = entry.user_data;
  }
  if (entry.opcode != IORING_OP_SENDMSG) return;
  const auto& message = *reinterpret_cast<const msghdr*>(entry.addr);
  std::size_t length = 0;
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) length += message.msg_iov[i].iov_len;
  write_ = Write{entry.user_data, length};
}

unsigned WatchedRing::submitCancels(io_uring& ring) {
  for (const std::uint64_t userData : cancelled_) {
    io_uring_sqe& entry = ring.sq.sqes[ring.sq.sqe_tail++ & ring.sq.ring_mask];
    io_uring_prep_cancel64(&entry, userData, 0);
    entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
  }
  io_uring_smp_store_release(ring.sq.ktail, ring.sq.sqe_tail);
  submitted_ = ring.sq.sqe_tail;
  return static_cast<unsigned>(cancelled_.size());
}

void WatchedRing::noteCompletions(const io_uring& ring) {
  const unsigned tail = io_uring_smp_load_acquire(ring.cq.ktail);
  for (; completed_ != tail; ++completed_) {
    const std::uint64_t done = ring.cq.cqes[completed_ & ring.cq.ring_mask].user_data;
    if (read_ == done) read_.reset();
    if (write_ && write_->userData == done) write_.reset();
    cancelled_.erase(done);
  }
}

}  // namespace penstock::traces
