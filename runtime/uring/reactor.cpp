#include <penstock/runtime/core/connection.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/runtime/system/poll_calls.h>
#include <penstock/runtime/uring/acceptor.h>
#include <penstock/runtime/uring/buffer_ring.h>
#include <penstock/runtime/uring/connect.h>
#include <penstock/runtime/uring/file_handle.h>
#include <penstock/runtime/uring/reactor.h>
#include <penstock/runtime/uring/ring.h>
#include <penstock/runtime/uring/stream.h>
#include <penstock/runtime/uring/watch.h>
#include <penstock/runtime/uring/zero_copy_send.h>

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

namespace penstock::uring {
namespace {

constexpr std::uint16_t kReceiveGroup = 0;
constexpr Duration kZeroCopyPatience = std::chrono::seconds(1);

// Null for what nobody waits for.
Operation* operationOf(const io_uring_cqe& completion) noexcept {
  return reinterpret_cast<Operation*>(completion.user_data);
}

// Where the reads of all loops' event descriptors leave the count. Nobody looks at it, and a read
// that the kernel still has when its loop is gone does no harm.
std::uint64_t unheededCount = 0;

}  // namespace

std::unique_ptr<Ring> Reactor::openRing(const ReactorOptions& options) {
  RingCalls& calls = ringCalls();
  return std::make_unique<Ring>(calls, calls.features() & ~options.uring.featuresOff);
}

Reactor::Reactor(ReactorOptions options) : Reactor(std::move(options), openRing(options)) {}

Reactor::Reactor(ReactorOptions options, std::unique_ptr<Ring> ring)
    : ReactorBase(std::move(options)), ring_(std::move(ring)) {
  if (ring_->has(kBufferRing)) {
    receiveRing_ = BufferRing::create(*ring_, kReceiveGroup, kSmallBuffers, kSmallRead);
  }
  if (ring_->has(kZeroCopySend)) zeroCopyFrom_ = this->options().uring.zeroCopyFrom;
  zeroCopySends_ = std::make_unique<ZeroCopySends>(buffers());
  messages_ = std::make_unique_for_overwrite<Message[]>(ring_->entries());
  const int event = pollCalls().eventfd();
  if (event < 0) throwErrno(event, "eventfd");
  event_.reset(event);
  descriptorCalls().setNonBlocking(event, false);  // A read of it is to wait in the ring.
  awaitWake();
}

Reactor::~Reactor() {
  const bool reachable = !inForkedChild() && entersHere();
  if (!reachable) ring_->detach();
  abandonAll();
  if (!reachable || !finishWake()) {
    wake_.inFlight_ = false;  // In the parent's ring, or ended with this one.
  }
  if (leaked() || (!reachable && zeroCopySends_->anyInFlight())) leakReceiveMemory();
}

// The kernel binds a ring to the thread that first enters it, which may be another one.
bool Reactor::entersHere() noexcept {
  try {
    ring_->enter(0, std::nullopt);
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

// False: the kernel does not let it be waited for.
bool Reactor::finishWake() noexcept {
  try {
    awaitZeroCopySends();
    closing_ = true;
    cancel(wake_);
    while (wake_.inFlight()) poll(std::nullopt);
    return true;
  } catch (const std::exception& failure) {
    log(std::string_view(failure.what()));
    return false;
  }
}

// Requests are still in flight: closing the ring ends them some time later.
void Reactor::leakReceiveMemory() noexcept { static_cast<void>(receiveRing_.release()); }

// The peers of connections that are gone may not have acknowledged all yet.
void Reactor::awaitZeroCopySends() {
  const TimePoint limit = now() + kZeroCopyPatience;
  while (zeroCopySends_->anyInFlight() && now() < limit) poll(limit - now());
  if (!zeroCopySends_->anyInFlight()) return;
  log("penstock: the kernel did not let go of all bytes sent without a copy; they are leaked");
  leakReceiveMemory();  // They may lie there.
}

bool Reactor::multishotReceive() const noexcept {
  return options().uring.multishotReceive && ring_->has(kMultishotReceive);
}

ZeroCopySend* Reactor::takeZeroCopySend() { return zeroCopySends_->take(); }

Block* Reactor::beginBlockRead(bool bulk) noexcept {
  if (bulk && receiveBlocks_.mayTakeBulk()) bulkTakenIn_ = turn_;
  Block* const block = receiveBlocks_.take(bulk);
  if (block) ++blockReads_;
  return block;
}

void Reactor::endBlockRead(Block& block) noexcept {
  --blockReads_;
  block.release();
}

Reactor::BulkBuffer Reactor::bulkBuffer() const noexcept {
  if (receiveBlocks_.mayTakeBulk()) return BulkBuffer::kFree;
  return turn_ - bulkTakenIn_ < kTurnsToWaitForBulk ? BulkBuffer::kReturning : BulkBuffer::kHeldUp;
}

Reactor::Memory Reactor::memory() const noexcept {
  const std::size_t ring = receiveRing_ ? std::size_t{kSmallBuffers} * kSmallRead : 0;
  return {buffers().queuedBytes(), buffers().allocatedBytes(),
          receiveBlocks_.allocatedBytes() + ring};
}

// A ring that defers its work does not wake who sleeps in poll(2) on it: the work that would make
// it readable is run by nobody. An event is signalled when such work comes.
int Reactor::pollDescriptor() const noexcept {
  if (!foreignLoopEvent_ && (ring_->setupFlags() & IORING_SETUP_DEFER_TASKRUN)) tellForeignLoop();
  return foreignLoopEvent_ ? foreignLoopEvent_.get() : ring_->fd();
}

void Reactor::tellForeignLoop() const noexcept {
  const int event = pollCalls().eventfd();
  if (event < 0) return;
  OwnedFd owner(event);
  if (ring_->registerEvent(event) < 0) return;
  wakesForeignLoop_ = event;
  foreignLoopEvent_ = std::move(owner);
  pollCalls().signalEvent(event);  // For what came before.
}

// Blocking: with O_NONBLOCK a request would fail with EAGAIN where it should wait in the ring.
int Reactor::socketFlags() const noexcept { return SOCK_CLOEXEC; }

bool Reactor::mayPollHere() const noexcept { return !ring_->detached(); }

Transport& Reactor::makeStream(OwnedFd fd, std::unique_ptr<Protocol> protocol,
                               const SocketAddress& peer) {
  return Stream::open(*this, std::move(fd), std::move(protocol), peer);
}

Listener& Reactor::makeListener(OwnedFd fd, ProtocolFactory factory, Callback atEnd) {
  return Acceptor::open(*this, std::move(fd), std::move(factory), std::move(atEnd));
}

PendingConnect& Reactor::makeConnect(OwnedFd fd, const sockaddr* to, socklen_t length,
                                     ConnectHandler handler) {
  return Connect::open(*this, std::move(fd), to, length, std::move(handler));
}

penstock::Watch& Reactor::makeWatch(int fd, Interest interest, WatchHandler handler) {
  return *new Watch(*this, fd, interest, std::move(handler));
}

io_uring_sqe& Reactor::nextEntry() { return ring_->nextEntry(&place_); }

void Reactor::attach(io_uring_sqe& entry, Operation& operation) noexcept {
  assert(!operation.inFlight_);
  entry.user_data = reinterpret_cast<std::uint64_t>(&operation);
  operation.inFlight_ = true;
}

void Reactor::cancel(Operation& operation) {
  if (!operation.inFlight()) return;
  io_uring_sqe& entry = ring_->nextEntry();
  io_uring_prep_cancel64(&entry, reinterpret_cast<std::uint64_t>(&operation), 0);
  entry.user_data = 0;  // Its own outcome says nothing that the operation's does not.
}

// A request that was woken, and whose turn to look again has not come, the kernel does not find
// (-ENOENT): it is asked once more.
void Reactor::cancelNow(std::span<Operation* const> operations) {
  const auto inFlight = [](const Operation* operation) { return operation->inFlight(); };
  const auto isOne = [&](const io_uring_cqe& completion) {
    return std::ranges::find(operations, operationOf(completion)) != operations.end();
  };
  if (ring_->detached()) return;  // The kernel lets nothing be ended from here.
  const TimePoint limit = now() + kCancelPatience;
  for (bool first = true; std::ranges::any_of(operations, inFlight); first = false) {
    if (!first && now() >= limit) return;
    for (Operation* operation : operations) cancel(*operation);
    for (const unsigned waitFor : {0, 1}) {
      if (std::ranges::any_of(operations, inFlight)) ring_->enter(waitFor, kCancelAgainAfter);
      for (const io_uring_cqe& completion : ring_->takeOut(isOne)) complete(completion);
    }
  }
}

msghdr& Reactor::messageOf(std::span<const iovec> runs) noexcept {
  Message& message = messages_[place_];
  std::ranges::copy(runs, message.runs.begin());
  message.header = {};
  message.header.msg_iov = message.runs.data();
  message.header.msg_iovlen = runs.size();
  return message.header;
}

void Reactor::poll(std::optional<Duration> timeout) {
  IntrusiveList<FileHandle, InDeferred> answered;
  answered.append(answering_);
  const bool wait = !(timeout && *timeout <= Duration::zero()) && !ring_->hasCompletions();
  ++turn_;
  if (foreignLoopEvent_) pollCalls().clearEvent(foreignLoopEvent_.get());  // First: more may come.
  ring_->enter(wait ? 1 : 0, timeout);
  bringsSeveral_ = ring_->completions() >= kSeveral;
  bool any = false;
  ring_->reap(kCompletionsPerTurn, [&](const io_uring_cqe& completion) {
    any = true;
    complete(completion);
  });
  readOn(answered);
  resumeStarved();
  // The kernel runs its deferred work in portions and tells of the first only.
  if (any && foreignLoopEvent_) pollCalls().signalEvent(foreignLoopEvent_.get());
}

void Reactor::readAfterAnswers(FileHandle& handle) noexcept { answering_.pushBack(handle); }

void Reactor::readOn(IntrusiveList<FileHandle, InDeferred>& answered) noexcept {
  readsAfterAnswers_ = true;
  while (!answered.empty()) {
    FileHandle& handle = answered.popFront();
    handle.guard([&] { handle.doRead(); });
  }
  readsAfterAnswers_ = false;
}

void Reactor::deferUntilBuffersReturn(FileHandle& handle) noexcept { starved_.pushBack(handle); }

void Reactor::resumeStarved() noexcept {
  if (receiveRing_ && !receiveRing_->anyWithKernel()) return;
  for (std::size_t i = blockReads_; i < kMostBlockReads && !starved_.empty(); ++i) {
    deferToNextTurn(starved_.popFront());
  }
}

// Connections guard their own work; whatever else throws must not take other completions along.
void Reactor::complete(const io_uring_cqe& completion) noexcept {
  ++counters().events;
  Operation* operation = operationOf(completion);
  if (!operation) return;
  if (!(completion.flags & IORING_CQE_F_MORE)) operation->inFlight_ = false;
  try {
    operation->complete_(*operation, completion.res, completion.flags);
  } catch (...) {
    logException("the work of a completion");
  }
}

void Reactor::submit() { ring_->submit(); }

bool Reactor::hasReadyWork() const noexcept {
  return ring_->hasCompletions() || !answering_.empty();
}

bool Reactor::hasUnsubmittedWork() const noexcept { return ring_->hasPrepared(); }

void Reactor::addStats(Stats& stats) const noexcept {
  stats.deferred += answering_.size();
  stats.starved = starved_.size();
  stats.buffersOut = receiveBlocks_.used() + (receiveRing_ ? receiveRing_->taken() : 0);
}

// The kernel does not signal one event from inside another's: it puts that off, for milliseconds.
void Reactor::wake() noexcept {
  pollCalls().signalEvent(event_.get());
  if (const int event = wakesForeignLoop_; event >= 0) pollCalls().signalEvent(event);
}

void Reactor::awaitWake() {
  submit(wake_, [this](io_uring_sqe& entry) {
    io_uring_prep_read(&entry, event_.get(), &unheededCount, sizeof unheededCount, 0);
  });
}

void Reactor::woken(int, std::uint32_t) {
  if (!closing_) awaitWake();
}

}  // namespace penstock::uring
