// ConnectionGroup: the connections that one listener has made.
#pragma once

#include <penstock/runtime/socket_address.h>

#include <cstddef>

namespace penstock {

class ListenerBase;

// Counts them, and tells the listener of each that ends. The listener may be gone before them, so
// this lives by itself, until the listener and the last of them have left.
class ConnectionGroup {
 public:
  // `boundTo`: the address that the listener has.
  ConnectionGroup(ListenerBase& listener, const SocketAddress& boundTo) noexcept
      : listener_(&listener), boundTo_(boundTo) {}
  ConnectionGroup(const ConnectionGroup&) = delete;
  ConnectionGroup& operator=(const ConnectionGroup&) = delete;

  std::size_t size() const noexcept { return size_; }

  // The host of each of these connections; empty where it cannot be told: before learnHost() was
  // told of one, and where the listener is bound to several addresses at once, none of which is its
  // own.
  SocketAddress host() const noexcept { return sharesHost_ ? boundTo_ : SocketAddress(); }
  void learnHost(const SocketAddress& ofOne) noexcept;

  void connectionMade() noexcept { ++size_; }
  void connectionOver();         // This may be gone afterwards.
  void listenerGone() noexcept;  // Likewise.

 private:
  ~ConnectionGroup() = default;
  void endIfLeft() noexcept;

  ListenerBase* listener_;  // Null once it is gone.
  std::size_t size_ = 0;
  const SocketAddress boundTo_;
  bool sharesHost_ = false;
};

}  // namespace penstock
