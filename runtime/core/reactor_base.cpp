#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/core/signal_watch.h>
#include <penstock/runtime/core/unix_connects.h>
#include <penstock/runtime/parts/thread_pool.h>
#include <penstock/runtime/parts/write_buffer.h>
#include <penstock/runtime/system/clock_calls.h>

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <mutex>
#include <new>
#include <stdexcept>
#include <utility>

namespace penstock {
namespace {

// How long the end of run(), and that of a reactor, waits for the kernel to give memory back. The
// first leaves it to the second, which leaks it.
constexpr Duration kEndLimit = std::chrono::seconds(5);

// How long one turn waits for it.
constexpr Duration kWaitOfATurn = std::chrono::milliseconds(100);

// How long a connection does not write when the kernel is short of memory.
constexpr Duration kStallPause = std::chrono::milliseconds(10);

// How often what a connectionLost() has opened is disconnected in its turn.
constexpr unsigned kMostRoundsOfDisconnecting = 100;

// Says for its time that `flag` is set, also when an exception ends it.
class Flagged {
 public:
  explicit Flagged(bool& flag) noexcept : flag_(flag) { flag_ = true; }
  ~Flagged() { flag_ = false; }
  Flagged(const Flagged&) = delete;
  Flagged& operator=(const Flagged&) = delete;

 private:
  bool& flag_;
};

}  // namespace

ReactorBase::ReactorBase(ReactorOptions options)
    : calls_(options.threadCallLimit),
      remote_(std::make_shared<Remote::State>(this)),
      process_(::getpid()),
      thread_(std::this_thread::get_id()),
      options_(std::move(options)) {
  if (!options_.log) options_.log = logToStderr();
  buffers_.setLimit(options_.bufferLimit);
  heldInputs_.reserve(kHeldInputsKept);
}

Reactor::~Reactor() = default;

ReactorBase::~ReactorBase() = default;

void ReactorBase::run() {
  takeThread();
  requireOwner();
  if (running_) throw std::logic_error("Reactor::run: it is running already");
  if (inTurn_ || callsOut_ > 0)
    throw std::logic_error("Reactor::run: called from a callback of the loop");
  const Flagged running(running_);
  for (const Phase phase : {Phase::kBefore, Phase::kDuring, Phase::kAfter}) {
    fire(Event::kStartup, phase);
  }
  while (!stopping_) turn(std::nullopt);
  fire(Event::kShutdown, Phase::kBefore);
  fire(Event::kShutdown, Phase::kDuring);
  end();
  fire(Event::kShutdown, Phase::kAfter);
  stopping_ = false;
}

// A turn waits only for what the kernel still has after one that did not.
void ReactorBase::end() {
  const Flagged ending(ending_);
  impatient_ = false;
  const TimePoint limit = now() + kEndLimit;
  for (unsigned rounds = 0; disconnectMore(rounds) && !impatient_;) {
    turn(Duration::zero());
    if (objects_.empty() && !retired_.empty() && !impatient_) turn(kWaitOfATurn);
    if (now() < limit) continue;
    impatient_ = true;
    log("penstock: the kernel did not let go of all buffers within 5 s of the end of run()");
  }
}

void ReactorBase::takeThread() {
  if (!std::exchange(threadIsFinal_, true)) thread_ = std::this_thread::get_id();
  requireThread();
}

void ReactorBase::refuseThread() {
  throw std::logic_error(
      "a reactor is for the thread that runs it (until then for the one that created it); "
      "other threads use callFromThread()");
}

// Where a system call more does not matter.
void ReactorBase::requireOwner() const {
  requireThread();
  if (inForkedChild()) throw std::logic_error("the reactor is that of the parent process");
}

void ReactorBase::stop() {
  requireThread();
  stopping_ = true;
}

void ReactorBase::iterate(Duration wait) {
  takeThread();
  if (inTurn_ || callsOut_ > 0)
    throw std::logic_error("Reactor::iterate: called from a callback of the loop");
  turn(wait);
  const Flagged inTurn(inTurn_);  // Flushing calls back, too.
  flushWriters();
  submit();
}

// A stop() from inside the turn ends its wait as well.
void ReactorBase::turn(std::optional<Duration> atMost) {
  const Flagged inTurn(inTurn_);
  ++counters_.turns;
  const bool stopped = stopping_;
  runCalls();
  flushWriters();
  reap();  // What has ended in a call does not wait for the next event.
  buffers_.collectKept();
  poll(stopping_ && !stopped ? Duration::zero() : waitTime(atMost));
  reap();
}

std::optional<Duration> ReactorBase::timeUntilDue() const {
  if (hasUnsubmittedWork()) return Duration::zero();
  return waitTime(std::nullopt);
}

std::optional<Duration> ReactorBase::waitTime(std::optional<Duration> atMost) const {
  const bool workWaits =
      !calls_.empty() || !deferred_.empty() || !writers_.empty() || hasReadyWork();
  if (workWaits) return Duration::zero();
  const std::optional<TimePoint> deadline = timers_.nextDeadline();
  if (!deadline) return atMost;
  const Duration untilDeadline = std::max(Duration::zero(), *deadline - now());
  return atMost ? std::min(*atMost, untilDeadline) : untilDeadline;
}

void ReactorBase::runCalls() {
  if (signals_) deliverSignals();
  if (timers_.nextDeadline()) timers_.fireDue(now());
  IntrusiveList<LoopObject, InDeferred> due;
  due.append(deferred_);
  while (!due.empty()) {
    LoopObject& object = due.popFront();
    object.guard([&] { object.runDeferred(); });
  }
  if (!calls_.empty()) {
    calls_.drain([this](Callback& callback) { runCallback(callback); });
  }
}

void ReactorBase::flushWriters() {
  IntrusiveList<LoopObject, InWriters> due;
  due.append(writers_);
  while (!due.empty()) {
    LoopObject& object = due.popFront();
    object.guard([&] { object.flush(); });
  }
}

void ReactorBase::reap() {
  if (retired_.empty()) return;
  IntrusiveList<ReactorObject, InReactor> candidates;
  candidates.append(retired_);
  while (!candidates.empty()) {
    ReactorObject& object = candidates.popFront();
    if (object.inUseByKernel()) {
      retired_.pushBack(object);
    } else {
      delete &object;
    }
  }
}

void ReactorBase::retire(ReactorObject& object) noexcept {
  object.unlink();
  handles_.forget(&object);
  retired_.pushBack(object);
}

std::unique_ptr<WriteBuffer> ReactorBase::takeHeldInput() {
  if (heldInputs_.empty()) return std::make_unique<WriteBuffer>(buffers_);
  std::unique_ptr<WriteBuffer> held = std::move(heldInputs_.back());
  heldInputs_.pop_back();
  return held;
}

void ReactorBase::giveBack(std::unique_ptr<WriteBuffer> held) noexcept {
  if (heldInputs_.size() < kHeldInputsKept) heldInputs_.push_back(std::move(held));
}

void ReactorBase::writeSoon(LoopObject& object) noexcept { writers_.pushBack(object); }

void ReactorBase::writeLater(LoopObject& object) noexcept {
  stalled_.pushBack(object);
  if (!stallOver_.active()) stallOver_.arm(kStallPause);
}

void ReactorBase::deferToNextTurn(LoopObject& object) noexcept { deferred_.pushBack(object); }

TimePoint ReactorBase::now() const noexcept { return clockCalls().now(); }

TimePoint ReactorBase::deadlineAfter(Duration delay) const {
  requireThread();
  if (delay < Duration::zero()) throw std::invalid_argument("a delay cannot be negative");
  return later(now(), delay);
}

DelayedCall ReactorBase::callLater(Duration delay, Callback callback) {
  return delayedCalls_.callAt(deadlineAfter(delay),
                              required(std::move(callback), "callLater: the callback is empty"));
}

void ReactorBase::callSoon(Callback callback) {
  requireThread();
  calls_.add(required(std::move(callback), "callSoon: the callback is empty"));
}

bool ReactorBase::callFromThread(Callback callback) {
  required(callback, "callFromThread: the callback is empty");
  return calls_.addFromThread(callback, [this] { wake(); }) != CallQueue::Added::kRefused;
}

bool ReactorBase::callInThread(Callback work) {
  requireOwner();
  required(work, "callInThread: the work is empty");
  if (!pool_) pool_ = std::make_unique<ThreadPool>(options_.poolThreads, options_.poolTaskLimit);
  return pool_->submit([this, work = std::move(work)]() mutable noexcept {
    try {
      work();
    } catch (...) {
      logFromThread("work in a thread");
    }
  });
}

ReactorBase::TriggerId ReactorBase::addSystemEventTrigger(Phase phase, Event event,
                                                          Callback callback) {
  requireThread();
  required(callback, "addSystemEventTrigger: the callback is empty");
  triggers_.push_back({lastTrigger_ + 1, phase, event, std::move(callback)});
  return ++lastTrigger_;
}

bool ReactorBase::removeSystemEventTrigger(TriggerId id) {
  requireThread();
  return std::erase_if(triggers_, [id](const Trigger& trigger) { return trigger.id == id; }) > 0;
}

void ReactorBase::callWhenRunning(Callback callback) {
  requireThread();
  required(callback, "callWhenRunning: the callback is empty");
  if (running_) return runCallback(callback);
  addSystemEventTrigger(Phase::kAfter, Event::kStartup, std::move(callback));
}

// Triggers may add and remove triggers, so each round takes out the next one that matches. A
// trigger runs once.
void ReactorBase::fire(Event event, Phase phase) {
  for (;;) {
    const auto next = std::ranges::find_if(triggers_, [&](const Trigger& trigger) {
      return trigger.event == event && trigger.phase == phase;
    });
    if (next == triggers_.end()) return;
    Callback callback = std::move(next->callback);
    triggers_.erase(next);
    runCallback(callback);
  }
}

SignalWatch& ReactorBase::signalWatch() {
  requireThread();
  if (!signals_) signals_ = std::make_unique<SignalWatch>(*this);
  return *signals_;
}

ReactorBase::SignalId ReactorBase::onSignal(int signal, SignalCallback callback) {
  required(callback, "onSignal: the callback is empty");
  return signalWatch().add(signal, std::make_shared<SignalCallback>(std::move(callback)));
}

bool ReactorBase::removeSignal(SignalId id) noexcept { return signals_ && signals_->remove(id); }

void ReactorBase::stopOnSignals() {
  onStopSignals([this](int) { stopSignalled(); });
}

// Whoever asks twice does not want to wait.
void ReactorBase::stopSignalled() {
  if (ending_) impatient_ = true;
  stopping_ = true;
}

// The old ones go last: in between a signal would end the process.
void ReactorBase::onStopSignals(SignalCallback callback) {
  required(callback, "onStopSignals: the callback is empty");
  SignalWatch& watch = signalWatch();
  const auto callee = std::make_shared<SignalCallback>(std::move(callback));
  std::array<SignalId, 2> ids{};
  if (!SignalWatch::isIgnored(SIGINT)) ids[0] = watch.add(SIGINT, callee);
  ids[1] = watch.add(SIGTERM, callee);
  for (const SignalId old : std::exchange(stopSignals_, ids)) watch.remove(old);
}

void ReactorBase::deliverSignals() {
  signals_->deliver([this](SignalCallback& callback, int signal) {
    try {
      callback(signal);
    } catch (...) {
      logException("a signal callback");
    }
  });
}

Transport& ReactorBase::openStream(OwnedFd fd, std::unique_ptr<Protocol> protocol,
                                   const SocketAddress& peer) {
  requireOwner();
  return makeStream(std::move(fd), required(std::move(protocol), "openStream: no protocol"), peer);
}

Listener& ReactorBase::openListener(OwnedFd fd, ProtocolFactory factory, Callback atEnd) {
  requireOwner();
  return makeListener(std::move(fd),
                      required(std::move(factory), "openListener: the factory is empty"),
                      std::move(atEnd));
}

PendingConnect& ReactorBase::openConnect(OwnedFd fd, const sockaddr* to, socklen_t length,
                                         ConnectHandler handler) {
  requireOwner();
  handler = required(std::move(handler), "openConnect: the handler is empty");
  if (to->sa_family != AF_UNIX) return makeConnect(std::move(fd), to, length, std::move(handler));
  if (!unixConnects_) unixConnects_ = std::make_unique<UnixConnects>(*this);
  return unixConnects_->open(std::move(fd), to, length, std::move(handler));
}

Watch& ReactorBase::watch(int fd, Interest interest, WatchHandler handler) {
  requireOwner();
  if (fd < 0) throw std::invalid_argument("watch: that is no descriptor");
  return makeWatch(fd, interest, required(std::move(handler), "watch: the handler is empty"));
}

// Each is told once, wherever in this a callback calls it again: the call that is under way takes
// along what is there by then. One that is ending already is in no list.
void ReactorBase::disconnectAll() {
  requireThread();
  disconnecting_.append(objects_);
  if (disconnectingAll_) return;
  const Flagged disconnectingAll(disconnectingAll_);
  const CallOut callOut(*this);
  while (!disconnecting_.empty()) {
    ReactorObject& object = disconnecting_.popFront();
    objects_.pushBack(object);  // Its end takes it out again.
    object.disconnectFromReactor();
  }
}

// False: nothing is left, or what is left is opened anew faster than it ends.
bool ReactorBase::disconnectMore(unsigned& rounds) noexcept {
  if (objects_.empty()) return !retired_.empty();
  if (rounds++ == kMostRoundsOfDisconnecting) {
    log("penstock: gave up disconnecting: callbacks of what has ended keep opening something");
    return false;
  }
  disconnectAll();
  return true;
}

Stats ReactorBase::stats() const noexcept {
  Stats stats = counters_;
  stats.open = objects_.size() + disconnecting_.size();
  stats.ending = retired_.size();
  stats.writing = writers_.size() + stalled_.size();
  stats.deferred = deferred_.size();
  addStats(stats);
  return stats;
}

bool ReactorBase::inForkedChild() const noexcept { return ::getpid() != process_; }

// A signal has its old effect from here on: who does not want to wait ends the process.
void ReactorBase::abandonAll() noexcept {
  signals_.reset();
  if (inForkedChild()) return forgetAll();  // And leave alone what a thread may have locked.
  pool_.reset();                            // Its work may still call.
  closeRemote();
  thread_ = std::this_thread::get_id();  // Callbacks that come from here may use the reactor.
  calls_.close([this](Callback& callback) { runCallback(callback); });
  const TimePoint limit = now() + (impatient_ ? Duration::zero() : kEndLimit);
  bool kernelAnswers = true;
  for (unsigned rounds = 0; disconnectMore(rounds);) {
    kernelAnswers = kernelAnswers && mayPollHere() && pollAtEnd();
    reap();
    if (objects_.empty() && retired_.empty()) continue;
    if (!kernelAnswers && !objects_.empty()) continue;
    if (kernelAnswers && now() < limit) continue;
    log({LogLevel::kError,
         kernelAnswers
             ? "penstock: the kernel did not let go of all buffers in time; they are leaked"
             : "penstock: a reactor was destroyed where the kernel does not let it end what is "
               "open, as in another thread than ran it; its buffers are leaked"});
    break;
  }
  forgetAll();
}

// False: the kernel does not let this thread use the loop, or not any more.
bool ReactorBase::pollAtEnd() noexcept {
  try {
    poll(retired_.empty() ? Duration::zero() : Duration(std::chrono::milliseconds(1)));
    return true;
  } catch (const std::exception& failure) {
    log(std::string_view(failure.what()));
    return false;
  }
}

void ReactorBase::closeRemote() noexcept {
  const std::lock_guard lock(remote_->mutex);
  remote_->reactor = nullptr;
}

// Leaked, not freed: the kernel may still use it, or it is another process's.
void ReactorBase::forgetAll() noexcept {
  buffers_.closeKept();
  leaked_ = !objects_.empty() || !retired_.empty();
  while (!objects_.empty()) objects_.popFront();
  while (!retired_.empty()) retired_.popFront();
}

}  // namespace penstock
