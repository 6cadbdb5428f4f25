#include <penstock/runtime/epoll/acceptor.h>
#include <penstock/runtime/epoll/stream.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/runtime/system/socket_calls.h>

#include <sys/time.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace penstock::epoll {
namespace {

// How long an accept or read that blocks does so: none, or as short as the kernel has it.
void setPatience(int fd, bool limited) noexcept {
  const timeval patience{0, limited ? 1 : 0};
  socketCalls().setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

}  // namespace

Acceptor::Acceptor(Reactor& reactor, OwnedFd fd, ProtocolFactory factory, Callback atEnd)
    : ListenerBase(reactor, std::move(fd), std::move(factory), std::move(atEnd)),
      reactor_(reactor),
      isUnix_(isUnixSocket(descriptor())) {}

Listener& Acceptor::open(Reactor& reactor, OwnedFd fd, ProtocolFactory factory, Callback atEnd) {
  std::unique_ptr<Acceptor> acceptor(
      new Acceptor(reactor, std::move(fd), std::move(factory), std::move(atEnd)));
  const int listening = acceptor->descriptor();
  const int result = descriptorCalls().setNonBlocking(listening, true);
  if (result < 0) throwErrno(result, "fcntl O_NONBLOCK");
  setPatience(listening, true);
  reactor.addHandler(listening, 0, *acceptor);
  acceptor->begin();
  return *acceptor.release();
}

void Acceptor::startAccepting() { reactor_.changeHandler(descriptor(), EPOLLIN, *this); }

// An edge, for a hang-up is reported whatever was asked for, and would be in each turn.
void Acceptor::stopAccepting() { reactor_.changeHandler(descriptor(), EPOLLET, *this); }

OwnedFd Acceptor::letGo(OwnedFd fd) noexcept { return reactor_.removeHandler(std::move(fd)); }

void Acceptor::ready(std::uint32_t) {
  int accepted = 0;
  while (accepted < acceptsPerEvent_ && mayAccept() && acceptOne()) ++accepted;
  acceptsPerEvent_ = accepted == acceptsPerEvent_
                         ? std::min(2 * acceptsPerEvent_, kMostAcceptsPerTurn)
                         : std::max(1, accepted);
}

// False: nothing more to accept in this turn.
bool Acceptor::acceptOne() {
  int result = -1;
  const SocketAddress peer = SocketAddress::filledBy([&](sockaddr* address, socklen_t* length) {
    result = socketCalls().accept4(descriptor(), address, length, reactor_.socketFlags());
    return result;
  });
  if (result == -EAGAIN) {
    descriptorCalls().setNonBlocking(descriptor(), true);  // It may have waited.
    nothingToAccept();
    return false;
  }
  if (result >= 0) {
    if (handsOver() && !isUnix_) setPatience(result, false);  // It has inherited that.
    accepted(OwnedFd(result), peer);
  } else {
    acceptFailed(result);
  }
  return true;
}

Transport& Acceptor::openStream(OwnedFd fd, std::unique_ptr<Protocol> protocol,
                                const SocketAddress& peer, ConnectionGroup& group) {
  return Stream::open(reactor_, std::move(fd), std::move(protocol), isUnix_, peer, &group);
}

}  // namespace penstock::epoll
