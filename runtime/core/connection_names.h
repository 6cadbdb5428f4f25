// ConnectionNames: the addresses of both sides of a connection, kept in as little as may be.
#pragma once

#include <penstock/runtime/socket_address.h>

#include <cstdint>

namespace penstock {

// The kernel forgets the peer of a connection that was reset, and everything once it is closed. So
// the peer is kept from the beginning, in one word if its address is mostly zeros after the first
// eight bytes (IPv4, and UNIX sockets without a name), else in a block of its own; and the host
// from the end on, which is when nobody can be asked any more.
class ConnectionNames {
 public:
  ConnectionNames() noexcept = default;
  ConnectionNames(const ConnectionNames&) = delete;
  ConnectionNames& operator=(const ConnectionNames&) = delete;
  ~ConnectionNames() { clear(); }

  // Throws std::bad_alloc.
  void keep(const SocketAddress& peer, const SocketAddress& host = {});

  SocketAddress peer() const noexcept;
  SocketAddress host() const noexcept;

 private:
  bool inWord() const noexcept { return (word_ & 1) != 0; }
  const std::uint8_t* block() const noexcept {
    return reinterpret_cast<const std::uint8_t*>(static_cast<std::uintptr_t>(word_));
  }
  void clear() noexcept;

  // 0: nothing. Odd: the peer, packed. Else a block: two lengths, then both addresses.
  std::uint64_t word_ = 0;
};

}  // namespace penstock
