// SocketAddress: the address of a socket as system calls take and give it.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace penstock {

// A value that knows no address families: Address (transports/address.h) reads it, and is made from
// it without a word. Any thread.
class SocketAddress {
 public:
  // No address at all; family() is AF_UNSPEC.
  SocketAddress() noexcept = default;

  // Copies what a system call filled in. What is longer than any address is cut.
  SocketAddress(const sockaddr* address, socklen_t length) noexcept
      : length_(std::min<socklen_t>(length, sizeof storage_)) {
    std::memcpy(&storage_, address, length_);
  }

  // Has `call(sockaddr*, socklen_t*)`, which returns -errno or more, fill one in; none if it fails.
  template <class Call>
  static SocketAddress filledBy(Call call) noexcept {
    SocketAddress result;
    socklen_t length = sizeof result.storage_;
    const bool filled = call(reinterpret_cast<sockaddr*>(&result.storage_), &length) >= 0;
    if (!filled) return {};
    result.length_ = std::min<socklen_t>(length, sizeof result.storage_);
    return result;
  }

  int family() const noexcept { return storage_.ss_family; }
  const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t length() const noexcept { return length_; }
  bool empty() const noexcept { return length_ == 0; }

 private:
  sockaddr_storage storage_{};
  socklen_t length_ = 0;
};

}  // namespace penstock
