// UniqueFunction: a callable that is moved, never copied, and kept in place when small.
#pragma once

#include <cstddef>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace penstock {

template <class Signature>
class UniqueFunction;

// Like std::function, but takes move-only callables (a lambda that owns a unique_ptr), and never
// allocates for those of up to kInline bytes. Calling an empty one is a programming error: whoever
// takes one to call it later refuses an empty one at once (see required()). A call runs the
// callable where it lies, so what holds it must outlive the call; whoever cannot promise that moves
// it out first.
template <class R, class... Args>
class UniqueFunction<R(Args...)> {
 public:
  static constexpr std::size_t kInline = 4 * sizeof(void*);

  UniqueFunction() noexcept = default;
  UniqueFunction(std::nullptr_t) noexcept {}

  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, UniqueFunction> &&
           std::is_invocable_r_v<R, std::decay_t<F>&, Args...>) UniqueFunction(F&& callable) {
    using Callable = std::decay_t<F>;
    if constexpr (fitsInline<Callable>()) {
      ::new (storage_) Callable(std::forward<F>(callable));
      table_ = &kInlineTable<Callable>;
    } else {
      ::new (storage_) Callable*(new Callable(std::forward<F>(callable)));
      table_ = &kHeapTable<Callable>;
    }
  }

  UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
  UniqueFunction& operator=(UniqueFunction&& other) noexcept {
    if (this != &other) {
      clear();
      take(other);
    }
    return *this;
  }
  ~UniqueFunction() { clear(); }

  explicit operator bool() const noexcept { return table_ != nullptr; }

  R operator()(Args... args) { return table_->call(storage_, std::forward<Args>(args)...); }

 private:
  struct Table {
    R (*call)(void*, Args&&...);
    void (*moveTo)(void* from, void* to) noexcept;  // Leaves `from` destroyed.
    void (*destroy)(void*) noexcept;                // Null: there is nothing to do.
  };

  template <class F>
  static constexpr bool fitsInline() {
    return sizeof(F) <= kInline && alignof(F) <= alignof(void*) &&
           std::is_nothrow_move_constructible_v<F>;
  }

  template <class F>
  static R callInline(void* at, Args&&... args) {
    return (*static_cast<F*>(at))(std::forward<Args>(args)...);
  }

  template <class F>
  static constexpr Table inlineTable() {
    constexpr auto kMoveTo = [](void* from, void* to) noexcept {
      ::new (to) F(std::move(*static_cast<F*>(from)));
      static_cast<F*>(from)->~F();
    };
    if constexpr (std::is_trivially_destructible_v<F>) return {&callInline<F>, kMoveTo, nullptr};
    return {&callInline<F>, kMoveTo, [](void* at) noexcept { static_cast<F*>(at)->~F(); }};
  }

  template <class F>
  static constexpr Table kInlineTable = inlineTable<F>();

  template <class F>
  static constexpr Table kHeapTable{
      [](void* at, Args&&... args) -> R {
        return (**static_cast<F**>(at))(std::forward<Args>(args)...);
      },
      [](void* from, void* to) noexcept { ::new (to) F*(*static_cast<F**>(from)); },
      [](void* at) noexcept { delete *static_cast<F**>(at); }};

  void take(UniqueFunction& other) noexcept {
    if (other.table_) other.table_->moveTo(other.storage_, storage_);
    table_ = std::exchange(other.table_, nullptr);
  }
  void clear() noexcept {
    const Table* table = std::exchange(table_, nullptr);
    if (table && table->destroy) table->destroy(storage_);
  }

  const Table* table_ = nullptr;
  alignas(void*) std::byte storage_[kInline];
};

using Callback = UniqueFunction<void()>;

// Passes `given` on, a callable or a pointer to be kept for later. Throws std::invalid_argument
// with `complaint` if it is empty: here the caller still sees who passed it.
template <class Given>
Given&& required(Given&& given, const char* complaint) {
  if (!given) throw std::invalid_argument(complaint);
  return std::forward<Given>(given);
}

}  // namespace penstock
