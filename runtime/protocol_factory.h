// ProtocolFactory: makes the protocol of each new connection.
#pragma once

#include <penstock/runtime/parts/unique_function.h>
#include <penstock/runtime/socket_address.h>
#include <penstock/runtime/transport.h>

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace penstock {

// A callable that takes the peer's address or nothing, and returns a std::unique_ptr of a protocol;
// a null one refuses the connection. A callable that takes `const Address&` serves as well. Moved,
// never copied. Made of a null function pointer or an empty std::function it is empty, and so is
// one made of nothing; what takes a factory throws std::invalid_argument for an empty one.
// Twisted: IProtocolFactory.buildProtocol.
class ProtocolFactory {
 public:
  using Made = std::unique_ptr<Protocol>;

  ProtocolFactory() noexcept = default;
  ProtocolFactory(std::nullptr_t) noexcept {}

  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, ProtocolFactory> &&
           (std::is_invocable_r_v<Made, std::decay_t<F>&, const SocketAddress&> ||
            std::is_invocable_r_v<Made, std::decay_t<F>&>)) ProtocolFactory(F&& callable) {
    using Callable = std::decay_t<F>;
    if (isEmpty<Callable>(callable)) return;
    if constexpr (std::is_invocable_r_v<Made, Callable&, const SocketAddress&>) {
      make_ = std::forward<F>(callable);
    } else {
      make_ = [made = Callable(std::forward<F>(callable))](const SocketAddress&) mutable -> Made {
        return made();
      };
    }
  }

  explicit operator bool() const noexcept { return static_cast<bool>(make_); }

  // `peer` is the other side's address, taken when the connection was. Not of an empty one.
  Made operator()(const SocketAddress& peer) { return make_(peer); }

 private:
  template <class F>
  static bool isEmpty(const F& callable) noexcept {
    if constexpr (std::is_pointer_v<F>) {
      return callable == nullptr;
    } else if constexpr (requires { callable.operator bool(); }) {
      return !callable;
    } else {
      return false;
    }
  }

  UniqueFunction<Made(const SocketAddress& peer)> make_;
};

}  // namespace penstock
