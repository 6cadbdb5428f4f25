#include <penstock/sim/ring.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <string>
#include <utility>

namespace penstock::sim {

Ring::Ring(Machine& machine, unsigned entries, const io_uring_params& params)
    : machine_(machine),
      world_(machine.world),
      enabled_((params.flags & IORING_SETUP_R_DISABLED) == 0),
      sqes_(entries),
      cqes_(params.flags & IORING_SETUP_CQSIZE ? std::bit_ceil(params.cq_entries) : 2 * entries),
      sqMask_(entries - 1),
      sqEntries_(entries),
      cqMask_(static_cast<unsigned>(cqes_.size()) - 1),
      cqEntries_(static_cast<unsigned>(cqes_.size())) {}

int Ring::enable() noexcept {
  if (enabled_) return -EBADFD;
  enabled_ = true;
  return 0;
}

// No array of indices, as in rings made with IORING_SETUP_NO_SQARRAY.
void Ring::describe(io_uring& ring, io_uring_params& params) {
  ring = {};
  ring.flags = params.flags;
  ring.features = params.features = IORING_FEAT_NODROP | IORING_FEAT_SUBMIT_STABLE;
  params.sq_entries = sqEntries_;
  params.cq_entries = cqEntries_;
  ring.sq.khead = &sqHead_;
  ring.sq.ktail = &sqTail_;
  ring.sq.kflags = &sqFlags_;
  ring.sq.kring_mask = &sqMask_;
  ring.sq.kring_entries = &sqEntries_;
  ring.sq.kdropped = &sqDropped_;
  ring.sq.sqes = sqes_.data();
  ring.sq.ring_mask = sqMask_;
  ring.sq.ring_entries = sqEntries_;
  ring.cq.khead = &cqHead_;
  ring.cq.ktail = &cqTail_;
  ring.cq.kflags = &cqFlags_;
  ring.cq.kring_mask = &cqMask_;
  ring.cq.kring_entries = &cqEntries_;
  ring.cq.koverflow = &cqOverflow_;
  ring.cq.cqes = cqes_.data();
  ring.cq.ring_mask = cqMask_;
  ring.cq.ring_entries = cqEntries_;
}

// --- Submission ----------------------------------------------------------------------------------

unsigned Ring::submit(unsigned count) {
  moveBacklog();
  const unsigned ready = io_uring_smp_load_acquire(&sqTail_) - sqHead_;
  count = std::min(count, ready);
  for (unsigned i = 0; i < count; ++i) {
    const io_uring_sqe entry = sqes_[sqHead_ & sqMask_];
    io_uring_smp_store_release(&sqHead_, sqHead_ + 1);
    start(entry);
  }
  return count;
}

void Ring::start(const io_uring_sqe& entry) {
  if (entry.flags & (IOSQE_IO_LINK | IOSQE_IO_HARDLINK | IOSQE_IO_DRAIN | IOSQE_FIXED_FILE)) {
    world_.violation("submission flags " + std::to_string(entry.flags) + " are not simulated");
  }
  if (entry.opcode == IORING_OP_ASYNC_CANCEL) return cancel(entry);
  const auto request = std::make_shared<Request>(entry, machine_.file(entry.fd));
  if (request->isSend()) requireOneSend(*request);
  inFlight_.push_back(request);
  if (entry.opcode == IORING_OP_TIMEOUT) return startTimeout(request);
  if (mayHold(*request)) return hold(request);
  attempt(*request);
  std::erase_if(inFlight_, [](const auto& each) { return each->over; });
}

// The kernel may carry them out in any order.
void Ring::requireOneSend(const Request& request) const {
  for (const std::shared_ptr<Request>& other : inFlight_) {
    if (other->isSend() && !other->over && !other->notifying && other->file &&
        other->file == request.file) {
      world_.violation("two sends in flight on descriptor " + std::to_string(request.entry.fd));
    }
  }
}

bool Ring::mayHold(const Request& request) {
  return canComplete(request) && world_.chance(world_.faults().delay);
}

void Ring::hold(const std::shared_ptr<Request>& request) {
  request->held = true;
  world_.soon([request] { request->held = false; });
}

void Ring::run() {
  moveBacklog();
  std::vector<std::shared_ptr<Request>> turn = inFlight_;
  if (turn.size() > 1 && world_.chance(world_.faults().reorder)) {
    for (std::size_t i = turn.size() - 1; i > 0; --i) {
      std::swap(turn[i], turn[world_.between(0, i)]);
    }
  }
  for (const std::shared_ptr<Request>& request : turn) {
    if (request->held || request->over) continue;
    if (request->cancelled) {
      endCancelled(*request);
    } else if (mayHold(*request)) {
      hold(request);
    } else {
      attempt(*request);
    }
  }
  std::erase_if(inFlight_, [](const auto& each) { return each->over; });
}

void Ring::attempt(Request& request) {
  for (unsigned shot = 0; shot < kMostShots && !request.over && canComplete(request); ++shot) {
    attemptOnce(request);
    if (!request.multishot) return;
  }
}

void Ring::attemptOnce(Request& request) {
  switch (request.entry.opcode) {
    case IORING_OP_NOP:
      return post(request, 0);
    case IORING_OP_RECV:
      return receive(request);
    case IORING_OP_SEND:
    case IORING_OP_SENDMSG:
    case IORING_OP_SEND_ZC:
    case IORING_OP_SENDMSG_ZC:
      return request.notifying ? notify(request) : send(request);
    case IORING_OP_ACCEPT:
      return accept(request);
    case IORING_OP_CONNECT:
      return connect(request);
    case IORING_OP_READ:
      return read(request);
    case IORING_OP_POLL_ADD:
      return pollAdd(request);
    case IORING_OP_CLOSE:
      return post(request, machine_.close(request.entry.fd));
    case IORING_OP_SHUTDOWN: {
      auto* socket = dynamic_cast<Socket*>(request.file.get());
      return post(request,
                  socket ? socket->shutdown(static_cast<int>(request.entry.len)) : -ENOTSOCK);
    }
    case IORING_OP_TIMEOUT:
      return;
    default:
      world_.violation("opcode " + std::to_string(request.entry.opcode) + " is not simulated");
      return post(request, -EINVAL);
  }
}

// --- Cancellation --------------------------------------------------------------------------------

bool Ring::matches(const Request& request, const io_uring_sqe& cancel) const {
  if (request.over || request.notifying) return false;
  if (cancel.cancel_flags & IORING_ASYNC_CANCEL_ANY) return true;
  if (cancel.cancel_flags & IORING_ASYNC_CANCEL_FD) return request.entry.fd == cancel.fd;
  return request.entry.user_data == cancel.addr;
}

void Ring::cancel(const io_uring_sqe& entry) {
  const bool all = (entry.cancel_flags & IORING_ASYNC_CANCEL_ALL) != 0;
  int found = 0;
  int result = -ENOENT;
  const std::vector<std::shared_ptr<Request>> candidates = inFlight_;
  for (const std::shared_ptr<Request>& request : candidates) {
    if (!matches(*request, entry)) continue;
    result = cancelOne(request);
    ++found;
    if (!all) break;
  }
  std::erase_if(inFlight_, [](const auto& each) { return each->over; });
  const bool silent = (entry.flags & IOSQE_CQE_SKIP_SUCCESS) && result >= 0;
  if (!silent) postCqe(entry.user_data, all && found > 0 ? found : result, 0);
}

// One that could complete may win the race: then both completions come, in either order.
int Ring::cancelOne(const std::shared_ptr<Request>& request) {
  if (!request->multishot) {
    if (const auto order = world_.orders().take(Call::kCancel)) return -order->error;
  }
  const bool lost = canComplete(*request) && world_.chance(world_.faults().lostCancel);
  if (!lost) {
    endCancelled(*request);
    return 0;
  }
  request->multishot = request->multishot && world_.chance(0.5);
  request->cancelled = true;
  if (world_.chance(0.5)) {
    hold(request);
    return -EALREADY;
  }
  endCancelled(*request);
  return world_.chance(0.5) ? -ENOENT : -EALREADY;
}

void Ring::endCancelled(Request& request) {
  if (request.cancelled && canComplete(request)) attemptOnce(request);
  if (request.over) return;
  if (request.sent > 0) return sent(request);
  post(request, world_.chance(world_.faults().interrupted) ? -EINTR : -ECANCELED);
}

// --- Completion ----------------------------------------------------------------------------------

unsigned Ring::completions() const noexcept {
  return cqTail_ - io_uring_smp_load_acquire(&cqHead_);
}

bool Ring::stillMore(const Request& request) {
  return request.multishot && !world_.chance(world_.faults().multishotEnd);
}

void Ring::post(Request& request, long result, std::uint32_t flags) {
  request.over = !(flags & IORING_CQE_F_MORE);
  const bool silent = (request.entry.flags & IOSQE_CQE_SKIP_SUCCESS) && result >= 0;
  if (!silent) postCqe(request.entry.user_data, static_cast<int>(result), flags);
  countDownTimeouts(request);
}

void Ring::postCqe(std::uint64_t userData, int result, std::uint32_t flags) {
  io_uring_cqe completion{};
  completion.user_data = userData;
  completion.res = result;
  completion.flags = flags;
  backlog_.push_back(completion);
  moveBacklog();
}

void Ring::moveBacklog() {
  while (!backlog_.empty() && completions() < cqEntries_) {
    cqes_[cqTail_ & cqMask_] = backlog_.front();
    backlog_.pop_front();
    io_uring_smp_store_release(&cqTail_, cqTail_ + 1);
  }
  const unsigned flags = backlog_.empty() ? 0 : IORING_SQ_CQ_OVERFLOW;
  io_uring_smp_store_release(&sqFlags_, flags);
}

void Ring::countDownTimeouts(const Request& completed) {
  if (completed.entry.opcode == IORING_OP_TIMEOUT) return;
  for (const std::shared_ptr<Request>& request : inFlight_) {
    if (request->over || request->countdown == 0 || --request->countdown > 0) continue;
    post(*request, 0);
  }
}

// --- The ring itself -----------------------------------------------------------------------------

std::vector<int> Ring::realDescriptors() const {
  std::vector<int> found;
  for (const std::shared_ptr<Request>& request : inFlight_) {
    if (request->isReal() && request->entry.fd >= 0) found.push_back(request->entry.fd);
  }
  return found;
}

int Ring::registerBuffers(const io_uring_buf_reg& registration) {
  const bool known = std::ranges::any_of(
      groups_, [&](const BufferGroup& group) { return group.id() == registration.bgid; });
  if (known) return -EEXIST;
  if (!std::has_single_bit(registration.ring_entries)) return -EINVAL;
  groups_.emplace_back(world_, registration);
  return 0;
}

int Ring::unregisterBuffers(std::uint16_t id) {
  const auto erased = std::erase_if(groups_, [&](const auto& group) { return group.id() == id; });
  return erased > 0 ? 0 : -EINVAL;
}

// Timeouts use nobody's memory, so they may end with the ring.
void Ring::end() {
  std::erase_if(inFlight_,
                [](const auto& request) { return request->entry.opcode == IORING_OP_TIMEOUT; });
  if (!inFlight_.empty()) {
    world_.violation("a ring was closed with " + std::to_string(inFlight_.size()) +
                     " requests in flight");
  }
  inFlight_.clear();
}

}  // namespace penstock::sim
