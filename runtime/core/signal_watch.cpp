#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/core/signal_watch.h>

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

namespace penstock {
namespace {

constexpr std::size_t kMostWatches = 64;
constexpr int kHighestSignal = 64;  // One bit each.

// Of the process. A handler reads these, so they are never destroyed and never locked there.
std::array<std::atomic<SignalWatch*>, kMostWatches> slots;
std::atomic<int> handling{0};  // How many handlers are running.
std::atomic<pid_t> owner{0};   // Whose slots those are; a forked child has copies.

// What was there before our handler, and how many watches want the signal. For whoever holds Lock.
struct Caught {
  struct sigaction before {};
  unsigned watches = 0;
};
std::array<Caught, kHighestSignal + 1> caught;

std::uint64_t bitOf(int signal) noexcept { return std::uint64_t{1} << (signal - 1); }

// Held by a process, so that a child is not kept out by a thread that only its parent has. A child
// begins with nothing watched; what was there before the handlers stays known.
class Lock {
 public:
  Lock() noexcept {
    const pid_t self = ::getpid();
    pid_t holder = 0;
    while (!holder_.compare_exchange_weak(holder, self)) {
      if (holder == self) ::sched_yield();
      if (holder == self) holder = 0;
    }
    if (owner.load() != self) begin(self);
  }
  ~Lock() { holder_.store(0); }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

 private:
  static void begin(pid_t self) noexcept {
    for (auto& slot : slots) slot.store(nullptr);
    for (Caught& each : caught) each.watches = 0;
    handling.store(0);
    owner.store(self);
  }

  static inline std::atomic<pid_t> holder_{0};
};

[[noreturn]] void refuse(int signal, const char* why) {
  throw std::invalid_argument("signal " + std::to_string(signal) + " " + why);
}

void requireWatchable(int signal) {
  switch (signal) {
    case SIGKILL:
    case SIGSTOP:
      refuse(signal, "can not be caught");
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
      refuse(signal, "tells of a fault at the place where it is; it can not wait for a loop");
    default:
      break;
  }
  if (signal < 1 || signal > kHighestSignal) refuse(signal, "is none");
}

}  // namespace

SignalWatch::SignalWatch(ReactorBase& reactor) : reactor_(reactor), process_(::getpid()) {
  const Lock lock;
  publish();
}

void SignalWatch::publish() {
  for (auto& slot : slots) {
    if (slot.load()) continue;
    slot.store(this);
    return;
  }
  throw std::length_error("too many reactors of this process watch signals");
}

// A handler that has found this in its slot is waited for: it makes one system call.
SignalWatch::~SignalWatch() {
  if (process_ != ::getpid()) return;  // A copy in a child, where nothing of this is in place.
  while (!entries_.empty()) remove(entries_.back().id);
  {
    const Lock lock;
    for (auto& slot : slots) {
      if (slot.load() == this) slot.store(nullptr);
    }
  }
  while (handling.load() > 0) ::sched_yield();
}

SignalWatch::Id SignalWatch::add(int signal, std::shared_ptr<Callee> callee) {
  requireWatchable(signal);
  entries_.push_back({lastId_ + 1, signal, std::move(callee)});
  if (wanted_.load() & bitOf(signal)) return ++lastId_;
  const Lock lock;
  struct sigaction action {};
  struct sigaction old {};
  action.sa_handler = &SignalWatch::handle;
  action.sa_flags = SA_RESTART;
  sigfillset(&action.sa_mask);
  wanted_.fetch_or(bitOf(signal));
  if (caught[signal].watches == 0 && ::sigaction(signal, &action, &old) < 0) {
    wanted_.fetch_and(~bitOf(signal));
    entries_.pop_back();
    refuse(signal, "can not be caught");  // The C library keeps some for itself.
  }
  if (caught[signal].watches++ == 0 && old.sa_handler != action.sa_handler) {
    caught[signal].before = old;
  }
  return ++lastId_;
}

bool SignalWatch::remove(Id id) noexcept {
  const auto found = std::ranges::find(entries_, id, &Entry::id);
  if (found == entries_.end()) return false;
  const int signal = found->signal;
  entries_.erase(found);
  if (!watches(signal)) release(signal);
  return true;
}

bool SignalWatch::watches(int signal) const noexcept {
  return std::ranges::find(entries_, signal, &Entry::signal) != entries_.end();
}

void SignalWatch::release(int signal) noexcept {
  const Lock lock;
  struct sigaction now {};
  if (--caught[signal].watches == 0 && ::sigaction(signal, nullptr, &now) == 0 &&
      now.sa_handler == &SignalWatch::handle) {
    ::sigaction(signal, &caught[signal].before, nullptr);
  }
  wanted_.fetch_and(~bitOf(signal));
  pending_.fetch_and(~bitOf(signal));
}

// In any thread, at any moment: only what is async-signal-safe.
void SignalWatch::handle(int signal) noexcept {
  const int savedErrno = errno;
  handling.fetch_add(1);
  if (owner.load() == ::getpid()) {
    for (auto& slot : slots) {
      if (SignalWatch* watch = slot.load()) watch->noticed(signal);
    }
  } else {
    passOn(signal);
  }
  handling.fetch_sub(1);
  errno = savedErrno;
}

void SignalWatch::noticed(int signal) noexcept {
  if (!(wanted_.load() & bitOf(signal))) return;
  pending_.fetch_or(bitOf(signal));
  reactor_.wake();
}

// A child that watches nothing has inherited the handler. Its event descriptor is the parent's.
void SignalWatch::passOn(int signal) noexcept {
  ::sigaction(signal, &caught[signal].before, nullptr);
  ::raise(signal);  // Comes once this handler has returned.
}

bool SignalWatch::isIgnored(int signal) noexcept {
  struct sigaction now {};
  ::sigaction(signal, nullptr, &now);
  const Lock lock;
  const bool ours = now.sa_handler == &SignalWatch::handle;
  const bool watchedByNone = ours && caught[signal].watches == 0;  // Inherited by a child.
  return (watchedByNone ? caught[signal].before.sa_handler : now.sa_handler) == SIG_IGN;
}

std::shared_ptr<SignalWatch::Callee> SignalWatch::nextAfter(Id& done, Id last,
                                                            int signal) const noexcept {
  for (const Entry& entry : entries_) {
    if (entry.id <= done || entry.id > last || entry.signal != signal) continue;
    done = entry.id;
    return entry.callee;
  }
  return nullptr;
}

}  // namespace penstock
