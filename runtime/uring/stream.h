// uring::Stream: a connected stream socket.
#pragma once

#include <penstock/runtime/uring/file_handle.h>

namespace penstock::uring {

class Stream final : public FileHandle {
 public:
  // Owned by `reactor` from here on.
  static Transport& open(Reactor& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol);

 private:
  using FileHandle::FileHandle;

  void prepareRead(io_uring_sqe& entry, MutableBytes into) override;
  void prepareWrite(io_uring_sqe& entry, std::span<const iovec> from) override;
};

}  // namespace penstock::uring
