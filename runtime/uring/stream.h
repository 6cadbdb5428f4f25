// uring::Stream: a connected stream socket.
#pragma once

#include <penstock/runtime/uring/file_handle.h>

namespace penstock::uring {

class Stream final : public FileHandle {
 public:
  // Owned by `reactor` from here on. The rest as in Connection::comesFrom().
  static Transport& open(Reactor& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol,
                         const SocketAddress& peer, ConnectionGroup* group = nullptr);

 private:
  using FileHandle::FileHandle;

  void prepareRead(io_uring_sqe& entry, const ReadRequest& request) override;
  void prepareWrite(io_uring_sqe& entry, std::span<const iovec> from) override;
  bool readsMultishot() const noexcept override;
};

}  // namespace penstock::uring
