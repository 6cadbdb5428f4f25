// Handles: the handles that were asked for.
#pragma once

#include <penstock/runtime/handle.h>

#include <memory>
#include <unordered_map>
#include <utility>

namespace penstock {

// By the objects of a reactor that they are of. Whoever is never asked costs nothing.
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
