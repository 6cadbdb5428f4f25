#include <penstock/runtime/epoll/stream.h>
#include <penstock/runtime/system/socket_calls.h>

#include <utility>

namespace penstock::epoll {

// A read of a UNIX socket ends at each message that carries a descriptor.
Transport& Stream::open(Reactor& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol,
                        bool isUnix, const SocketAddress& peer, ConnectionGroup* group) {
  std::unique_ptr<Stream> stream(new Stream(reactor, std::move(fd), std::move(protocol)));
  stream->comesFrom(peer, group);
  stream->FileDescriptor::open(isUnix);
  return *stream.release();
}

// Whoever else holds the socket may have cleared O_NONBLOCK, which is of the description.
ssize_t Stream::readSome(MutableBytes into) {
  return socketCalls().recv(fd_.get(), into, MSG_DONTWAIT);
}

ssize_t Stream::writeSome(std::span<const iovec> from) {
  return socketCalls().sendmsg(fd_.get(), from, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace penstock::epoll
