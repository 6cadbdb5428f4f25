#include <penstock/runtime/connection.h>
#include <penstock/runtime/reactor.h>
#include <penstock/runtime/signal_watch.h>
#include <penstock/runtime/system_calls.h>
#include <penstock/runtime/unix_connects.h>
#include <penstock/runtime/write_buffer.h>

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <utility>

namespace penstock {
namespace {

// How long the end of a reactor waits for the kernel to give memory back; then it is leaked.
constexpr Duration kAbandonLimit = std::chrono::seconds(5);

// How long a turn waits for it.
constexpr Duration kPatience = std::chrono::milliseconds(100);

// How long a connection does not write when the kernel is short of memory.
constexpr Duration kStallPause = std::chrono::milliseconds(10);

// How often what a connectionLost() has opened is disconnected in its turn.
constexpr unsigned kMostRoundsOfDisconnecting = 100;

void logToStderr(std::string_view line) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

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

Reactor::Reactor(ReactorOptions options)
    : calls_(options.threadCallLimit),
      process_(::getpid()),
      log_(options.log ? std::move(options.log) : Log(&logToStderr)) {
  buffers_.setLimit(options.bufferLimit);
  holders_.reserve(kHoldersKept);
}

Reactor::~Reactor() = default;

void Reactor::run() {
  if (running_) throw std::logic_error("Reactor::run: it is running already");
  if (inTurn_) throw std::logic_error("Reactor::run: called from a callback of the loop");
  const Flagged running(running_);
  for (const Phase phase : {Phase::kBefore, Phase::kDuring, Phase::kAfter}) {
    fire(Event::kStartup, phase);
  }
  while (!stopping_) turn(std::nullopt);
  fire(Event::kShutdown, Phase::kBefore);
  fire(Event::kShutdown, Phase::kDuring);
  for (unsigned rounds = 0; disconnectMore(rounds);) {
    turn(objects_.empty() ? kPatience : Duration::zero());
  }
  fire(Event::kShutdown, Phase::kAfter);
  stopping_ = false;
}

void Reactor::stop() { stopping_ = true; }

void Reactor::iterate(Duration wait) {
  if (inTurn_) throw std::logic_error("Reactor::iterate: called from a callback of the loop");
  turn(wait);
  flushWriters();
  submit();
}

// A stop() from inside the turn ends its wait as well.
void Reactor::turn(std::optional<Duration> atMost) {
  const Flagged inTurn(inTurn_);
  const bool stopped = stopping_;
  runCalls();
  flushWriters();
  reap();  // What has ended in a call does not wait for the next event.
  buffers_.collectKept();
  poll(stopping_ && !stopped ? Duration::zero() : waitTime(atMost));
  reap();
}

std::optional<Duration> Reactor::timeUntilDue() const {
  if (hasUnsubmittedWork()) return Duration::zero();
  return waitTime(std::nullopt);
}

std::optional<Duration> Reactor::waitTime(std::optional<Duration> atMost) const {
  const bool workWaits =
      !calls_.empty() || !deferred_.empty() || !writers_.empty() || hasReadyWork();
  if (workWaits) return Duration::zero();
  const std::optional<TimePoint> deadline = timers_.nextDeadline();
  if (!deadline) return atMost;
  const Duration untilDeadline = std::max(Duration::zero(), *deadline - now());
  return atMost ? std::min(*atMost, untilDeadline) : untilDeadline;
}

void Reactor::runCalls() {
  if (signals_) deliverSignals();
  if (timers_.nextDeadline()) timers_.fireDue(now());
  IntrusiveList<Connection, InDeferred> due;
  due.append(deferred_);
  while (!due.empty()) due.popFront().runDeferred();
  if (!calls_.empty()) {
    calls_.drain([this](Callback& callback) { runCallback(callback); });
  }
}

void Reactor::flushWriters() {
  IntrusiveList<Connection, InWriters> due;
  due.append(writers_);
  while (!due.empty()) due.popFront().flush();
}

void Reactor::reap() {
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

void Reactor::retire(ReactorObject& object) noexcept {
  object.unlink();
  retired_.pushBack(object);
}

std::unique_ptr<WriteBuffer> Reactor::takeHolder() {
  if (holders_.empty()) return std::make_unique<WriteBuffer>(buffers_);
  std::unique_ptr<WriteBuffer> holder = std::move(holders_.back());
  holders_.pop_back();
  return holder;
}

void Reactor::giveBack(std::unique_ptr<WriteBuffer> holder) noexcept {
  if (holders_.size() < kHoldersKept) holders_.push_back(std::move(holder));
}

PendingConnect& Reactor::openConnect(OwnedFd fd, const sockaddr* to, socklen_t length,
                                     ConnectHandler handler) {
  if (!handler) throw std::invalid_argument("Reactor::openConnect: the handler is empty");
  if (to->sa_family != AF_UNIX) return beginConnect(std::move(fd), to, length, std::move(handler));
  if (!unixConnects_) unixConnects_ = std::make_unique<UnixConnects>(*this);
  return unixConnects_->open(std::move(fd), to, length, std::move(handler));
}

void Reactor::writeSoon(Connection& connection) noexcept { writers_.pushBack(connection); }

void Reactor::writeLater(Connection& connection) noexcept {
  stalled_.pushBack(connection);
  if (!stallOver_.active()) stallOver_.arm(kStallPause);
}

void Reactor::deferToNextTurn(Connection& connection) noexcept { deferred_.pushBack(connection); }

TimePoint Reactor::now() const noexcept { return systemCalls().now(); }

TimePoint Reactor::deadlineAfter(Duration delay) const {
  if (delay < Duration::zero()) throw std::invalid_argument("a delay cannot be negative");
  return later(now(), delay);
}

DelayedCall Reactor::callLater(Duration delay, Callback callback) {
  return delayedCalls_.callAt(deadlineAfter(delay), std::move(callback));
}

void Reactor::callSoon(Callback callback) { calls_.add(std::move(callback)); }

bool Reactor::callFromThread(Callback callback) {
  return calls_.addFromThread(callback, [this] { wake(); }) != CallQueue::Added::kRefused;
}

Reactor::TriggerId Reactor::addSystemEventTrigger(Phase phase, Event event, Callback callback) {
  triggers_.push_back({++lastTrigger_, phase, event, std::move(callback)});
  return lastTrigger_;
}

bool Reactor::removeSystemEventTrigger(TriggerId id) {
  return std::erase_if(triggers_, [id](const Trigger& trigger) { return trigger.id == id; }) > 0;
}

void Reactor::callWhenRunning(Callback callback) {
  if (running_) return runCallback(callback);
  addSystemEventTrigger(Phase::kAfter, Event::kStartup, std::move(callback));
}

// Triggers may add and remove triggers, so each round takes out the next one that matches. A
// trigger runs once.
void Reactor::fire(Event event, Phase phase) {
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

void Reactor::stopOnSignals() {
  onStopSignals([this](int) { stop(); });
}

void Reactor::onStopSignals(UniqueFunction<void(int)> callback) {
  if (signals_) return signals_->callInstead(std::move(callback));
  signals_ = std::make_unique<SignalWatch>([this] { wake(); }, std::move(callback));
}

void Reactor::deliverSignals() {
  try {
    signals_->deliver();
  } catch (...) {
    logException("a signal callback");
  }
}

void Reactor::disconnectAll() {
  IntrusiveList<ReactorObject, InReactor> open;
  open.append(objects_);
  while (!open.empty()) {
    ReactorObject& object = open.front();
    object.disconnectFromReactor();
    assert(!(!open.empty() && &open.front() == &object));  // It has retired itself.
  }
}

// False: nothing is left, or what is left is opened anew faster than it ends.
bool Reactor::disconnectMore(unsigned& rounds) noexcept {
  if (objects_.empty()) return !retired_.empty();
  if (rounds++ == kMostRoundsOfDisconnecting) {
    log("penstock: gave up disconnecting: callbacks of what has ended keep opening something");
    return false;
  }
  disconnectAll();
  return true;
}

bool Reactor::inForkedChild() const noexcept { return ::getpid() != process_; }

void Reactor::abandonAll() noexcept {
  if (inForkedChild()) return forgetAll();
  calls_.close([this](Callback& callback) { runCallback(callback); });
  const TimePoint limit = now() + kAbandonLimit;
  for (unsigned rounds = 0; disconnectMore(rounds);) {
    poll(retired_.empty() ? Duration::zero() : Duration(std::chrono::milliseconds(1)));
    reap();
    if (now() < limit) continue;
    log("penstock: the kernel did not let go of all buffers within 5 s; they are leaked");
    break;
  }
  forgetAll();
}

// Leaked, not freed: the kernel may still use it, or it is another process's.
void Reactor::forgetAll() noexcept {
  buffers_.closeKept();
  leaked_ = !objects_.empty() || !retired_.empty();
  while (!objects_.empty()) objects_.popFront();
  while (!retired_.empty()) retired_.popFront();
}

void Reactor::runCallback(Callback& callback) noexcept {
  try {
    callback();
  } catch (...) {
    logException("a callback");
  }
}

void Reactor::log(std::string_view line) noexcept {
  try {
    log_(line);
  } catch (...) {  // A log that throws has nobody to tell.
  }
}

void Reactor::logException(std::string_view where) noexcept {
  try {
    std::string line = "penstock: exception from ";
    line += where;
    try {
      throw;
    } catch (const std::exception& exception) {
      line += std::string(": ") + exception.what();
    } catch (...) {
      line += ": not a std::exception";
    }
    log(line);
  } catch (...) {
    log("penstock: exception from a callback; no memory to tell more");
  }
}

}  // namespace penstock
