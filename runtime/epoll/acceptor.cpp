#include <penstock/runtime/epoll/acceptor.h>
#include <penstock/runtime/epoll/stream.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/system_calls.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <string>
#include <utility>

namespace penstock::epoll {

Acceptor::Acceptor(Reactor& reactor, OwnedFd fd, ProtocolFactory factory)
    : reactor_(reactor),
      fd_(std::move(fd)),
      isUnix_(isUnixSocket(fd_.get())),
      factory_(std::move(factory)),
      relief_(reactor, [this] { reactor_.changeWatch(fd_.get(), EPOLLIN, *this); }) {}

Listener& Acceptor::open(Reactor& reactor, OwnedFd fd, ProtocolFactory factory) {
  if (!factory) throw std::invalid_argument("openListener: the protocol factory is empty");
  std::unique_ptr<Acceptor> acceptor(new Acceptor(reactor, std::move(fd), std::move(factory)));
  reactor.watch(acceptor->fd_.get(), EPOLLIN, *acceptor);
  reactor.adopt(*acceptor);
  return *acceptor.release();
}

void Acceptor::stopListening() {
  if (!fd_) return;
  fd_.reset();
  reactor_.retire(*this);
}

void Acceptor::ready(std::uint32_t) {
  int accepted = 0;
  while (accepted < acceptsPerEvent_ && fd_ && acceptOne()) ++accepted;
  acceptsPerEvent_ = accepted == acceptsPerEvent_
                         ? std::min(2 * acceptsPerEvent_, kMostAcceptsPerTurn)
                         : std::max(1, accepted);
}

// False: nothing more to accept in this turn.
bool Acceptor::acceptOne() {
  int fd = -1;
  const SocketAddress peer = accept(fd);
  if (fd == -EAGAIN) return false;
  if (fd < 0) return acceptFailed(fd);
  open(relief_.admit(OwnedFd(fd)), peer);
  return true;
}

SocketAddress Acceptor::accept(int& fd) noexcept {
  return SocketAddress::filledBy([&](sockaddr* peer, socklen_t* length) {
    return fd = systemCalls().accept4(fd_.get(), peer, length, reactor_.socketFlags());
  });
}

bool Acceptor::acceptFailed(long error) {
  switch (relief_.failed(error)) {
    case AcceptRelief::Advice::kGoOn:
      return true;
    case AcceptRelief::Advice::kShed:
      shed();
      return false;
    case AcceptRelief::Advice::kPause:
      reactor_.changeWatch(fd_.get(), 0, *this);
      return false;
    case AcceptRelief::Advice::kGiveUp:
      reactor_.log("penstock: a listener has stopped: " + errorOf(error).message());
      fd_ = reactor_.unwatch(std::move(fd_));  // Its owner may still call stopListening().
      return false;
  }
  return false;
}

// Level-triggered interest is off while the relief pauses, so nothing spins.
void Acceptor::shed() {
  int accepted = -1;
  const SocketAddress peer = accept(accepted);
  OwnedFd fd = relief_.admit(OwnedFd(std::max(-1, accepted)));
  if (fd) return open(std::move(fd), peer);
  reactor_.changeWatch(fd_.get(), 0, *this);
}

void Acceptor::open(OwnedFd accepted, const SocketAddress& peer) noexcept {
  if (!accepted) return;
  try {
    if (auto protocol = factory_(peer))
      Stream::open(reactor_, std::move(accepted), std::move(protocol), isUnix_);
  } catch (...) {
    reactor_.logException("accepting a connection");
  }
}

}  // namespace penstock::epoll
