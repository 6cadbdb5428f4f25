#include <penstock/runtime/uring/stream.h>

#include <liburing.h>

#include <utility>

namespace penstock::uring {

Transport& Stream::open(Reactor& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol,
                        const SocketAddress& peer, ConnectionGroup* group) {
  std::unique_ptr<Stream> stream(new Stream(reactor, std::move(fd), std::move(protocol)));
  stream->comesFrom(peer, group);
  Stream& opened = *stream.release();
  opened.FileHandle::open();
  return opened;
}

void Stream::prepareRead(io_uring_sqe& entry, MutableBytes into) {
  const int flags = into.empty() ? 0 : MSG_DONTWAIT;
  io_uring_prep_recv(&entry, fd_.get(), into.data(), into.size(), flags);
}

// Without MSG_WAITALL: what could be sent is told at once, and counts for back-pressure.
void Stream::prepareWrite(io_uring_sqe& entry, std::span<const iovec> from) {
  constexpr int kFlags = MSG_NOSIGNAL;
  if (from.size() == 1) {
    return io_uring_prep_send(&entry, fd_.get(), from[0].iov_base, from[0].iov_len, kFlags);
  }
  io_uring_prep_sendmsg(&entry, fd_.get(), &static_cast<Reactor&>(reactor()).messageOf(from),
                        kFlags);
}

}  // namespace penstock::uring
