// Handle: a connection or a listener, named without keeping it.
#pragma once

#include <memory>
#include <utility>

namespace penstock {

class Listener;
class Transport;

// A value, copied freely and kept for as long as one likes: once what it names is over, or its
// reactor is gone, get() is null, whatever else has taken its place in memory. Copying and
// destroying on any thread, get() in the loop's alone: other threads pass it to Remote::call().
template <class T>
class Handle {
 public:
  Handle() noexcept = default;

  T* get() const noexcept { return cell_ ? static_cast<T*>(*cell_) : nullptr; }
  explicit operator bool() const noexcept { return get() != nullptr; }

  // Whether both name, or named, the same one.
  friend bool operator==(const Handle& one, const Handle& other) noexcept = default;

 private:
  friend class Handles;
  explicit Handle(std::shared_ptr<void*> cell) noexcept : cell_(std::move(cell)) {}

  std::shared_ptr<void*> cell_;
};

using TransportHandle = Handle<Transport>;
using ListenerHandle = Handle<Listener>;

}  // namespace penstock
