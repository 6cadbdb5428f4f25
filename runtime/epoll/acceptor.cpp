#include <penstock/runtime/epoll/acceptor.h>
#include <penstock/runtime/epoll/stream.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/system_calls.h>

#include <algorithm>
#include <cerrno>
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
  const int fd = systemCalls().accept4(fd_.get(), reactor_.socketFlags());
  if (fd == -EAGAIN) return false;
  if (fd < 0) return acceptFailed(fd);
  open(relief_.admit(OwnedFd(fd)));
  return true;
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
      reactor_.log({LogLevel::kError,
                    "penstock: a listener has stopped: " + errorOf(error).message(), nullptr,
                    this});
      fd_ = reactor_.unwatch(std::move(fd_));  // Its owner may still call stopListening().
      return false;
  }
  return false;
}

// Level-triggered interest is off while the relief pauses, so nothing spins.
void Acceptor::shed() {
  OwnedFd fd(std::max(-1, systemCalls().accept4(fd_.get(), reactor_.socketFlags())));
  fd = relief_.admit(std::move(fd));
  if (fd) return open(std::move(fd));
  reactor_.changeWatch(fd_.get(), 0, *this);
}

void Acceptor::open(OwnedFd accepted) noexcept {
  if (!accepted) return;
  try {
    if (auto protocol = factory_())
      Stream::open(reactor_, std::move(accepted), std::move(protocol), isUnix_);
  } catch (...) {
    reactor_.logException("accepting a connection", nullptr, this);
  }
}

}  // namespace penstock::epoll
