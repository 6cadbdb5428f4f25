// SignalWatch: SIGINT and SIGTERM, noticed in a handler and delivered in a loop.
#pragma once

#include <penstock/runtime/unique_function.h>

#include <signal.h>

#include <memory>

namespace penstock {

// While it lives, both signals call `callback` from the next deliver(). The handler only sets a
// flag and calls `wake`, which must be async-signal-safe. The dispositions that were there come
// back afterwards. One of a process at a time: a second throws std::logic_error.
class SignalWatch {
 public:
  SignalWatch(Callback wake, UniqueFunction<void(int signal)> callback);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  // From now on calls `callback`. In the middle of a call that call goes on.
  void callInstead(UniqueFunction<void(int signal)> callback);

  void deliver();

 private:
  using Callee = UniqueFunction<void(int)>;
  void deliver(int signal);
  static void handle(int signal) noexcept;

  Callback wake_;
  std::shared_ptr<Callee> callback_;
  struct sigaction oldInterrupt_ {};
  struct sigaction oldTerminate_ {};
};

}  // namespace penstock
