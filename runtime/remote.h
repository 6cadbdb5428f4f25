// Remote: a reactor as other threads may use it.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/handle.h>
#include <penstock/runtime/parts/unique_function.h>

#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace penstock {

class Reactor;

// What Reactor::remote() gives: a value for any thread, which may outlive the reactor. Each call is
// made in the loop's thread, or refused: false, as by Reactor::callFromThread(), or because the
// reactor is gone.
class PENSTOCK_API Remote {
 public:
  [[nodiscard]] bool call(Callback callback) const;

  // The same for `act(target)`, made only if what `handle` names is still there by then; not to be
  // there any more is no refusal.
  template <class T>
  [[nodiscard]] bool call(Handle<T> handle,
                          std::type_identity_t<UniqueFunction<void(T&)>> act) const {
    return call([handle = std::move(handle), act = std::move(act)]() mutable {
      if (T* target = handle.get()) act(*target);
    });
  }

 private:
  friend class ReactorBase;
  struct State {
    explicit State(Reactor* of) noexcept : reactor(of) {}
    std::mutex mutex;
    Reactor* reactor;  // Guarded; null once it is gone.
  };
  explicit Remote(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace penstock
