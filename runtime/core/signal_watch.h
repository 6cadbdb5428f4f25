// SignalWatch: signals, noticed in a handler and delivered in a loop.
#pragma once

#include <penstock/runtime/parts/unique_function.h>

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

namespace penstock {

class ReactorBase;

// The signals that one reactor watches. The handler notes the number and wakes the loop, nothing
// else. Several watches may have the same signal, and each hears of it. A signal's disposition is
// that of the process: the first watch of it puts the handler in place, and when the last is gone
// what was there comes back, unless somebody has put something else there since.
// A forked child has none of its parent's watches: a signal that still meets the handler there gets
// the disposition that was there before it, and its effect.
class SignalWatch {
 public:
  using Callee = UniqueFunction<void(int signal)>;
  using Id = std::uint64_t;

  // Throws std::length_error when too many reactors of this process watch signals.
  explicit SignalWatch(ReactorBase& reactor);

  // Returns when no handler uses this any more.
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  // From now on `callee` hears of `signal`. Throws std::invalid_argument if that can not be caught,
  // or is a fault of the program, which can not wait for a loop.
  Id add(int signal, std::shared_ptr<Callee> callee);
  bool remove(Id id) noexcept;  // False: there is none such. It is not called any more.

  // Calls `call(callee, signal)` for each signal that came since, in the order of adding.
  template <class Call>
  void deliver(Call call) {
    if (pending_.load(std::memory_order_relaxed) == 0) return;
    std::uint64_t signals = pending_.exchange(0);
    for (int signal = 1; signals != 0; ++signal, signals >>= 1) {
      if (signals & 1) deliverOne(signal, call);
    }
  }

  // Whether `signal` is ignored by what this process inherited or chose, handlers of ours aside.
  static bool isIgnored(int signal) noexcept;

 private:
  struct Entry {
    Id id;
    int signal;
    std::shared_ptr<Callee> callee;  // Shared with a call of it, which may remove the entry.
  };

  // Callees may add and remove entries. Those added meanwhile wait for the next signal.
  template <class Call>
  void deliverOne(int signal, Call& call) {
    const Id last = lastId_;
    Id done = 0;
    while (const std::shared_ptr<Callee> callee = nextAfter(done, last, signal)) {
      call(*callee, signal);
    }
  }

  std::shared_ptr<Callee> nextAfter(Id& done, Id last, int signal) const noexcept;
  bool watches(int signal) const noexcept;
  void publish();
  void release(int signal) noexcept;
  void noticed(int signal) noexcept;
  static void handle(int signal) noexcept;
  static void passOn(int signal) noexcept;

  ReactorBase& reactor_;
  const pid_t process_;
  std::vector<Entry> entries_;
  Id lastId_ = 0;
  std::atomic<std::uint64_t> wanted_{0};   // A bit for each signal, from that of number 1.
  std::atomic<std::uint64_t> pending_{0};  // The same: came and was not delivered.
};

}  // namespace penstock
