#include <penstock/runtime/uring/file_handle.h>
#include <penstock/runtime/uring/ring_calls.h>
#include <penstock/runtime/uring/zero_copy_send.h>

#include <liburing.h>

#include <utility>

namespace penstock::uring {

void ZeroCopySend::convert(io_uring_sqe& entry) noexcept {
  switch (entry.opcode) {
    case IORING_OP_SEND:
      entry.opcode = IORING_OP_SEND_ZC;
      break;
    case IORING_OP_SENDMSG:
      entry.opcode = IORING_OP_SENDMSG_ZC;
      break;
    default:
      return;
  }
  entry.ioprio |= kSendZeroCopyReportUsage;
}

void ZeroCopySend::start(FileHandle& owner) noexcept {
  owner_ = &owner;
  answered_ = false;
}

// The owner lives at the first completion: it counts as in use by the kernel until then.
void ZeroCopySend::completed(int result, std::uint32_t flags) {
  if (flags & IORING_CQE_F_NOTIF) return released((result & kNotificationCopied) != 0);
  answered_ = true;
  FileHandle& owner = *owner_;
  const bool kept = (flags & IORING_CQE_F_MORE) != 0;
  if (kept && result > 0) owner.shareOutgoing(static_cast<std::size_t>(result), held_);
  if (!kept) {
    owner.forgetZeroCopy(*this);
    home_.giveBack(*this);
  }
  owner.zeroCopyAnswered(result);
}

void ZeroCopySend::released(bool copied) noexcept {
  held_.clear();
  if (owner_) {
    owner_->learnZeroCopy(copied);
    owner_->forgetZeroCopy(*this);
  }
  home_.giveBack(*this);
}

// What the kernel has not let go of by now is lost, and lost is not freed.
ZeroCopySends::~ZeroCopySends() {
  for (std::unique_ptr<ZeroCopySend>& send : all_) {
    if (send->operation().inFlight()) static_cast<void>(send.release());
  }
}

ZeroCopySend* ZeroCopySends::take() {
  if (!unused_) {
    if (all_.size() == kMost) return nullptr;
    unused_ = all_.emplace_back(std::make_unique<ZeroCopySend>(*this, pool_)).get();
  }
  ++used_;
  return std::exchange(unused_, unused_->next);
}

void ZeroCopySends::giveBack(ZeroCopySend& send) noexcept {
  send.next = unused_;
  unused_ = &send;
  --used_;
}

}  // namespace penstock::uring
