#include <penstock/runtime/system/socket_calls.h>
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

void Stream::prepareRead(io_uring_sqe& entry, const ReadRequest& request) {
  const int flags = request.mode == ReadMode::kPresent ? MSG_DONTWAIT : 0;
  io_uring_prep_recv(&entry, fd_.get(), request.into.data(), request.into.size(), flags);
  if (request.mode == ReadMode::kMultishot) entry.ioprio |= IORING_RECV_MULTISHOT;
  if (request.pollFirst) entry.ioprio |= IORING_RECVSEND_POLL_FIRST;
}

// Some kernels miss the end of a UNIX socket's input in a multishot.
bool Stream::readsMultishot() const noexcept { return !isUnixSocket(fd_.get()); }

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
