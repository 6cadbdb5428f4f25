// ConnectionGroup: the connections that one listener has made.
#pragma once

#include <cstddef>

namespace penstock {

class ListenerBase;

// Counts them, and tells the listener of each that ends. The listener may be gone before them, so
// this lives by itself, until the listener and the last of them have left.
class ConnectionGroup {
 public:
  explicit ConnectionGroup(ListenerBase& listener) noexcept : listener_(&listener) {}
  ConnectionGroup(const ConnectionGroup&) = delete;
  ConnectionGroup& operator=(const ConnectionGroup&) = delete;

  std::size_t size() const noexcept { return size_; }

  void connectionMade() noexcept { ++size_; }
  void connectionOver();         // This may be gone afterwards.
  void listenerGone() noexcept;  // Likewise.

 private:
  ~ConnectionGroup() = default;
  void endIfLeft() noexcept;

  ListenerBase* listener_;  // Null once it is gone.
  std::size_t size_ = 0;
};

}  // namespace penstock
