#include <penstock/tests/traces/scripted_ring.h>

#include <penstock/tests/traces/pattern.h>

#include <liburing.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

namespace penstock::traces {
namespace {

constexpr unsigned kEntries = 64;
constexpr unsigned kCompletions = 256;

}  // namespace

std::uint32_t ScriptedRing::features() noexcept {
  return uring::kDeferTaskrun | uring::kWaitTimeout | uring::kBufferRing;
}

int ScriptedRing::setup(unsigned, io_uring& ring, io_uring_params&) noexcept {
  entries_.resize(kEntries);
  completions_.resize(kCompletions);
  ring = {};
  ring.sq.khead = &submissionHead_;
  ring.sq.ktail = &submissionTail_;
  ring.sq.sqes = entries_.data();
  ring.sq.ring_mask = kEntries - 1;
  ring.sq.ring_entries = kEntries;
  ring.cq.khead = &completionHead_;
  ring.cq.ktail = &completionTail_;
  ring.cq.cqes = completions_.data();
  ring.cq.ring_mask = kCompletions - 1;
  ring.cq.ring_entries = kCompletions;
  return 0;
}

int ScriptedRing::enter(io_uring&, unsigned, unsigned waitFor, unsigned,
                        std::optional<Duration>) noexcept {
  const unsigned first = submissionHead_;
  while (submissionHead_ != submissionTail_) take(entries_[submissionHead_++ & (kEntries - 1)]);
  const bool wouldWait = waitFor > 0 && completionHead_ == completionTail_;
  return wouldWait ? -ETIME : static_cast<int>(submissionHead_ - first);
}

int ScriptedRing::registerWith(io_uring&, unsigned opcode, void* argument, unsigned) noexcept {
  if (opcode == IORING_REGISTER_ENABLE_RINGS) return 0;
  if (opcode != IORING_REGISTER_PBUF_RING) return -EINVAL;
  const auto& registration = *static_cast<io_uring_buf_reg*>(argument);
  groups_[registration.bgid] = {reinterpret_cast<io_uring_buf*>(registration.ring_addr),
                                registration.ring_entries, 0};
  return 0;
}

void ScriptedRing::take(const io_uring_sqe& entry) {
  switch (entry.opcode) {
    case IORING_OP_NOP:
      return takeWrite(entry, {});
    case IORING_OP_SENDMSG: {
      const auto& message = *reinterpret_cast<const msghdr*>(entry.addr);
      return takeWrite(entry, {message.msg_iov, message.msg_iov + message.msg_iovlen});
    }
    case IORING_OP_RECV:
      if (read_) application_.complain("two reads are in flight");
      read_ = Submitted{entry.user_data, {}, entry.buf_group};
      return;
    case IORING_OP_POLL_ADD:
      watch_ = Submitted{entry.user_data, {}};
      return;
    case IORING_OP_READ:
      wake_ = Submitted{entry.user_data, {}};
      return;
    case IORING_OP_ASYNC_CANCEL:
      cancel(entry.addr);
      return post(entry.user_data, 0);
    default:
      application_.complain("an operation the script does not know was submitted");
      return post(entry.user_data, -EINVAL);
  }
}

void ScriptedRing::takeWrite(const io_uring_sqe& entry, std::vector<iovec> runs) {
  if (write_) application_.complain("two writes are in flight");
  if (refusesWrites_) return post(entry.user_data, -ECONNRESET);
  write_ = Submitted{entry.user_data, std::move(runs)};
}

void ScriptedRing::cancel(std::uint64_t userData) {
  for (std::optional<Submitted>* operation : {&read_, &write_, &wake_, &watch_}) {
    if (!*operation || (*operation)->userData != userData) continue;
    (*operation)->cancelled = true;
    if (lettingGo_) endIfCancelled(*operation);
  }
}

void ScriptedRing::letGo() {
  lettingGo_ = true;
  endIfCancelled(read_);
  endIfCancelled(write_);
  endIfCancelled(wake_);
  endIfCancelled(watch_);
}

void ScriptedRing::endIfCancelled(std::optional<Submitted>& operation) {
  if (operation && operation->cancelled) fail(operation, ECANCELED);
}

void ScriptedRing::fail(std::optional<Submitted>& operation, int error) {
  post(operation->userData, -error);
  operation.reset();
}

std::size_t ScriptedRing::completeWrite(std::size_t count) {
  if (!write_) return 0;
  const Submitted write = *std::exchange(write_, std::nullopt);
  std::size_t length = 0;
  for (const iovec& run : write.runs) length += run.iov_len;
  count = std::min(count, length);
  checkSent(write, count);
  post(write.userData, static_cast<int>(count));
  return count;
}

void ScriptedRing::failWrite(int error) {
  if (write_) fail(write_, error);
}

void ScriptedRing::checkSent(const Submitted& write, std::size_t count) {
  for (const iovec& run : write.runs) {
    const std::size_t part = std::min(count, run.iov_len);
    const Bytes bytes(static_cast<const std::byte*>(run.iov_base), part);
    if (!isPattern(bytes, sent_)) application_.complain("wrong bytes were sent");
    sent_ += part;
    count -= part;
  }
}

void ScriptedRing::noteNewWrite() {
  if (!write_ || !std::exchange(write_->isNew, false) || write_->runs.empty()) return;
  application_.note({"submitWrite", sent_});
}

void ScriptedRing::completeRead(std::size_t count) {
  if (!read_) return application_.complain("there is no read in flight");
  const Submitted read = *std::exchange(read_, std::nullopt);
  if (count == 0) return post(read.userData, 0);
  const std::uint16_t buffer = fill(groups_[read.group], count);
  post(read.userData, static_cast<int>(count),
       IORING_CQE_F_BUFFER | std::uint32_t{buffer} << IORING_CQE_BUFFER_SHIFT);
}

void ScriptedRing::failRead(int error) {
  if (!read_) return application_.complain("there is no read in flight");
  fail(read_, error);
}

// Gives the id of the buffer.
std::uint16_t ScriptedRing::fill(Group& group, std::size_t count) {
  const io_uring_buf& buffer = group.entries[group.head++ % group.count];
  if (count > buffer.len) application_.complain("a receive buffer is too small");
  std::ranges::copy(patternAt(received_, count), reinterpret_cast<std::byte*>(buffer.addr));
  received_ += count;
  return buffer.bid;
}

void ScriptedRing::post(std::uint64_t userData, int result, std::uint32_t flags) {
  io_uring_cqe& completion = completions_[completionTail_ % kCompletions];
  completion.user_data = userData;
  completion.res = result;
  completion.flags = flags;
  ++completionTail_;
}

}  // namespace penstock::traces
