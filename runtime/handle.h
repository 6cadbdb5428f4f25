// Handle: a connection or a listener, named without keeping it.
#pragma once

#include <memory>
#include <unordered_map>
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

// The handles that were asked for, by the objects of a reactor that they are of. Whoever is never
// asked costs nothing.
class Handles {
 public:
  Handles() = default;
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;
  ~Handles() {
    for (auto& [object, cell] : cells_) *cell = nullptr;
  }

  // `target` is what the handle gives: one and the same for an object. May throw std::bad_alloc.
  template <class T>
  Handle<T> make(const void* object, T& target) {
    const auto known = cells_.find(object);
    if (known != cells_.end()) return Handle<T>(known->second);
    auto cell = std::make_shared<void*>(&target);
    cells_.emplace(object, cell);
    return Handle<T>(std::move(cell));
  }

  void forget(const void* object) noexcept {
    if (cells_.empty()) return;
    const auto found = cells_.find(object);
    if (found == cells_.end()) return;
    *found->second = nullptr;
    cells_.erase(found);
  }

 private:
  std::unordered_map<const void*, std::shared_ptr<void*>> cells_;
};

}  // namespace penstock
