#include <penstock/runtime/errors.h>
#include <penstock/runtime/reactor.h>
#include <penstock/transports/lookup_queue.h>

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <new>
#include <thread>

namespace penstock {
namespace {

// How long a thread waits before it offers its result again to a reactor whose calls are too many.
constexpr auto kRetryHandOver = std::chrono::milliseconds(1);

// Before another thread takes the place of one whose look-up was given up: those that wait are
// often given up together with it, and would only keep more threads.
constexpr auto kGrace = std::chrono::milliseconds(10);

}  // namespace

// Shared by the loop that asks and the thread that works.
struct Lookup {
  enum class State { kWaiting, kRunning, kOver };

  const std::string host;
  LookupClient* client;     // The loop's thread only; null once nobody wants the result.
  Reactor* reactor;         // Guarded, as what follows; null once nobody wants the result.
  LookupQueue::Lane* lane;  // Until it is over.
  State state = State::kWaiting;
  Resolution result = {};  // Written before it is handed over.
  std::exception_ptr thrown = {};
};

LookupQueue::LookupQueue(const ResolverOptions& options)
    : options_(options),
      process_(::getpid()),
      pool_(std::make_unique<ThreadPool>(options.mostThreads, options.mostThreads)) {}

std::shared_ptr<Lookup> LookupQueue::submit(Reactor& reactor, LookupClient& client,
                                            std::string host) {
  const std::lock_guard lock(mutex_);
  Lane& lane = laneOf(reactor);
  if (lane.waiting.size() >= options_.mostWaitingPerReactor) return nullptr;
  auto lookup = std::make_shared<Lookup>(Lookup{std::move(host), &client, &reactor, &lane});
  lane.waiting.push_back(lookup);
  startMore();
  if (active_ > 0) return lookup;
  forget(*lookup);  // There is no thread and none can be started: it would wait for ever.
  return nullptr;
}

void LookupQueue::abandon(Lookup& lookup) noexcept {
  lookup.client = nullptr;
  if (process_ != ::getpid()) return;  // Its mutex may have been held by a thread that is not here.
  const std::lock_guard lock(mutex_);
  if (!std::exchange(lookup.reactor, nullptr)) return;
  if (lookup.state == Lookup::State::kWaiting) forget(lookup);
  if (lookup.state != Lookup::State::kRunning) return;
  --lookup.lane->running;
  ++lookup.lane->abandoned;
  ++abandoned_;
  replaceThread();
}

void LookupQueue::close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    for (Lane& lane : lanes_) {
      while (!lane.waiting.empty()) {
        const std::shared_ptr<Lookup> lookup = std::move(lane.waiting.front());
        lane.waiting.pop_front();
        lookup->state = Lookup::State::kOver;
        lookup->result.error = std::make_error_code(std::errc::operation_canceled);
        tell(lookup);
      }
    }
  }
  pool_.reset();
}

void LookupQueue::work(std::shared_ptr<Lookup> lookup) noexcept {
  while (lookup) {
    try {
      lookup->result = options_.lookup(lookup->host);
    } catch (...) {
      lookup->result = {errorOfException(ConnectionError::kResolverFailed), {}};
      lookup->thrown = std::current_exception();
    }
    while (!passOn(lookup)) std::this_thread::sleep_for(kRetryHandOver);
  }
}

// Hands the result over and puts the next look-up in its place, or none. False: the reactor takes
// no more calls for now.
bool LookupQueue::passOn(std::shared_ptr<Lookup>& lookup) {
  const std::lock_guard lock(mutex_);
  if (!tell(lookup) && !closing_) return false;
  ended(*lookup);
  lookup = beginNext();
  return true;
}

void LookupQueue::workLater() noexcept {
  std::this_thread::sleep_for(kGrace);
  std::shared_ptr<Lookup> lookup;
  {
    const std::lock_guard lock(mutex_);
    --active_;
    lookup = beginNext();
  }
  work(std::move(lookup));
}

// The reactor is there: its end abandons the look-up first, and that takes the mutex.
bool LookupQueue::tell(const std::shared_ptr<Lookup>& lookup) {
  if (!lookup->reactor) return true;
  return lookup->reactor->callFromThread([lookup] {
    if (!lookup->client) return;
    lookup->client->lookedUp(std::move(lookup->result), std::move(lookup->thrown));
  });
}

LookupQueue::Lane& LookupQueue::laneOf(Reactor& reactor) {
  const auto lane = std::ranges::find(lanes_, &reactor, &Lane::reactor);
  return lane != lanes_.end() ? *lane : lanes_.emplace_back(Lane{&reactor, {}});
}

// The next that may have one more look-up run; it then comes last. Null: there is none.
LookupQueue::Lane* LookupQueue::laneToServe() noexcept {
  const auto lane = std::ranges::find_if(
      lanes_, [this](const Lane& each) { return !each.waiting.empty() && mayRunOneMore(each); });
  if (lane == lanes_.end()) return nullptr;
  lanes_.splice(lanes_.end(), lanes_, lane);
  return &*lane;
}

bool LookupQueue::mayRunOneMore(const Lane& lane) const noexcept {
  const std::size_t uncounted = std::min(lane.abandoned, options_.mostAbandonedPerReactor);
  return lane.running + lane.abandoned < options_.threadsPerReactor + uncounted;
}

std::size_t LookupQueue::allowed() const noexcept {
  return std::min(options_.threads + abandoned_, options_.mostThreads);
}

void LookupQueue::startMore() noexcept {
  while (active_ < allowed()) {
    Lane* lane = laneToServe();
    if (!lane || !start(*lane)) return;
  }
}

void LookupQueue::replaceThread() noexcept {
  if (closing_ || active_ >= allowed() || !laneToServe()) return;
  try {
    if (pool_->submit([this] { workLater(); })) ++active_;
  } catch (const std::bad_alloc&) {  // Those that wait go on waiting for the other threads.
  }
}

bool LookupQueue::start(Lane& lane) noexcept {
  try {
    if (!pool_->submit([this, lookup = lane.waiting.front()] { work(lookup); })) return false;
  } catch (const std::bad_alloc&) {
    return false;
  }
  begin(lane);
  return true;
}

std::shared_ptr<Lookup> LookupQueue::begin(Lane& lane) noexcept {
  std::shared_ptr<Lookup> lookup = std::move(lane.waiting.front());
  lane.waiting.pop_front();
  lookup->state = Lookup::State::kRunning;
  ++lane.running;
  ++active_;
  return lookup;
}

std::shared_ptr<Lookup> LookupQueue::beginNext() noexcept {
  Lane* lane = closing_ || active_ >= allowed() ? nullptr : laneToServe();
  return lane ? begin(*lane) : nullptr;
}

void LookupQueue::ended(Lookup& lookup) noexcept {
  lookup.state = Lookup::State::kOver;
  --active_;
  if (lookup.reactor) {
    --lookup.lane->running;
  } else {
    --lookup.lane->abandoned;
    --abandoned_;
  }
  dropIdleLanes();
}

void LookupQueue::forget(Lookup& lookup) noexcept {
  lookup.state = Lookup::State::kOver;
  std::erase_if(lookup.lane->waiting, [&](const auto& each) { return each.get() == &lookup; });
  dropIdleLanes();
}

void LookupQueue::dropIdleLanes() noexcept {
  lanes_.remove_if([](const Lane& lane) {
    return lane.waiting.empty() && lane.running == 0 && lane.abandoned == 0;
  });
}

}  // namespace penstock
