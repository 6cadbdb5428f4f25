// PerProcess: something that each process has one of its own of.
#pragma once

#include <unistd.h>

#include <atomic>
#include <memory>
#include <utility>

namespace penstock {

// Of an object with threads or a mutex a forked child has a useless copy: the threads are the
// parent's, and one of them may have held the mutex. The child gets an object of its own when it
// first asks for it, and leaves the copy alone: it is neither used nor destroyed. Any thread.
template <class T>
class PerProcess {
 public:
  constexpr PerProcess() noexcept = default;
  PerProcess(const PerProcess&) = delete;
  PerProcess& operator=(const PerProcess&) = delete;
  ~PerProcess() {
    if (const Own* own = own_.load(); own && own->process == ::getpid()) delete own;
  }

  // That of this process, which `make()` gives the first time. No lock is taken, for a child could
  // find it held.
  template <class Make>
  T& get(Make make) {
    Own* own = own_.load(std::memory_order_acquire);
    if (own && own->process == ::getpid()) return own->value;
    auto made = std::make_unique<Own>(::getpid(), make());
    if (own_.compare_exchange_strong(own, made.get())) return made.release()->value;
    return own->value;  // Another thread was first.
  }

 private:
  struct Own {
    Own(pid_t owner, T made) : process(owner), value(std::move(made)) {}
    const pid_t process;
    T value;
  };

  std::atomic<Own*> own_{nullptr};
};

}  // namespace penstock
