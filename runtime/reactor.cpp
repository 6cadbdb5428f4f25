#include <penstock/runtime/connection.h>
#include <penstock/runtime/reactor.h>
#include <penstock/runtime/signal_watch.h>
#include <penstock/runtime/system_calls.h>

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

void logToStderr(std::string_view line) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
}

}  // namespace

Reactor::Reactor(ReactorOptions options)
    : calls_(options.threadCallLimit),
      log_(options.log ? std::move(options.log) : Log(&logToStderr)) {}

Reactor::~Reactor() = default;

void Reactor::run() {
  if (running_) throw std::logic_error("Reactor::run: it is running already");
  running_ = true;
  for (const Phase phase : {Phase::kBefore, Phase::kDuring, Phase::kAfter}) {
    fire(Event::kStartup, phase);
  }
  while (!stopping_) turn(std::nullopt);
  fire(Event::kShutdown, Phase::kBefore);
  fire(Event::kShutdown, Phase::kDuring);
  disconnectAll();
  while (!objects_.empty() || !retired_.empty()) turn(std::chrono::milliseconds(100));
  fire(Event::kShutdown, Phase::kAfter);
  running_ = stopping_ = false;
}

void Reactor::stop() { stopping_ = true; }

void Reactor::iterate(Duration wait) {
  turn(wait);
  flushWriters();
  submit();
}

void Reactor::turn(std::optional<Duration> atMost) {
  runCalls();
  flushWriters();
  poll(waitTime(atMost));
  reap();
}

std::optional<Duration> Reactor::timeUntilDue() const {
  if (hasUnsubmittedWork()) return Duration::zero();
  return waitTime(std::nullopt);
}

std::optional<Duration> Reactor::waitTime(std::optional<Duration> atMost) const {
  const bool workWaits =
      !calls_.empty() || !deferred_.empty() || !writers_.empty() || stopping_ || hasReadyWork();
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

void Reactor::writeSoon(Connection& connection) noexcept { writers_.pushBack(connection); }

void Reactor::deferToNextTurn(Connection& connection) noexcept { deferred_.pushBack(connection); }

TimePoint Reactor::now() const noexcept { return systemCalls().now(); }

TimePoint Reactor::deadlineAfter(Duration delay) const {
  if (delay < Duration::zero()) throw std::invalid_argument("a delay cannot be negative");
  const TimePoint present = now();
  return delay > TimePoint::max() - present ? TimePoint::max() : present + delay;
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
  signals_ = nullptr;
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

void Reactor::abandonAll() noexcept {
  calls_.close();
  const TimePoint limit = now() + kAbandonLimit;
  while (!objects_.empty() || !retired_.empty()) {
    disconnectAll();  // Again: a connectionLost() may have opened something.
    poll(retired_.empty() ? Duration::zero() : Duration(std::chrono::milliseconds(1)));
    reap();
    if (now() < limit) continue;
    log("penstock: the kernel did not let go of all buffers within 5 s; they are leaked");
    while (!retired_.empty()) retired_.popFront();
    return;
  }
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
