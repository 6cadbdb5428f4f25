// epoll::Stream: a connected stream socket.
#pragma once

#include <penstock/runtime/epoll/file_descriptor.h>

namespace penstock::epoll {

class Stream final : public FileDescriptor {
 public:
  // Owned by `reactor` from here on. `isUnix`: it is a UNIX socket. The rest as in
  // Connection::comesFrom(). Throws std::system_error.
  static Transport& open(Reactor& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol,
                         bool isUnix, const SocketAddress& peer, ConnectionGroup* group = nullptr);

 private:
  using FileDescriptor::FileDescriptor;

  ssize_t readSome(MutableBytes into) override;
  ssize_t writeSome(std::span<const iovec> from) override;
};

}  // namespace penstock::epoll
