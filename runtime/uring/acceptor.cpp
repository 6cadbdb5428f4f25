#include <penstock/runtime/errors.h>
#include <penstock/runtime/uring/acceptor.h>
#include <penstock/runtime/uring/ring.h>
#include <penstock/runtime/uring/stream.h>

#include <algorithm>
#include <utility>

namespace penstock::uring {

Acceptor::Acceptor(Reactor& reactor, OwnedFd fd, ProtocolFactory factory)
    : reactor_(reactor), fd_(std::move(fd)), factory_(std::move(factory)), relief_(reactor, [this] {
        paused_ = false;
        acceptMore(false);
      }) {}

Listener& Acceptor::open(Reactor& reactor, OwnedFd fd, ProtocolFactory factory) {
  auto* acceptor = new Acceptor(reactor, std::move(fd), std::move(factory));
  reactor.adopt(*acceptor);
  acceptor->acceptMore(false);
  return *acceptor;
}

// The address is free at once: closing the descriptor would not end the accept, so the kernel is
// given the cancellation first.
void Acceptor::stopListening() {
  if (!std::exchange(listening_, false)) return;
  reactor_.cancelNow(accept_);
  fd_.reset();
  reactor_.retire(*this);
}

void Acceptor::acceptMore(bool once) {
  if (!listening_ || accept_.inFlight()) return;
  const bool multishot = !once && reactor_.ring().has(kMultishotAccept);
  reactor_.submit(accept_, [&](io_uring_sqe& entry) {
    io_uring_prep_accept(&entry, fd_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (multishot) entry.ioprio |= IORING_ACCEPT_MULTISHOT;
  });
}

void Acceptor::accepted(int result, std::uint32_t) {
  if (!listening_) {
    OwnedFd unwanted(std::max(result, -1));
    return;
  }
  if (result < 0) return acceptFailed(result);
  OwnedFd fd = relief_.admit(OwnedFd(result));
  paused_ = !fd;
  if (fd) open(std::move(fd));
  if (!paused_) acceptMore(false);
}

void Acceptor::acceptFailed(long error) {
  if (error == -ECANCELED) return acceptMore(false);
  switch (relief_.failed(error)) {
    case AcceptRelief::Advice::kGoOn:
      return acceptMore(false);
    case AcceptRelief::Advice::kShed:
      return acceptMore(true);
    case AcceptRelief::Advice::kPause:
      paused_ = true;
      return;
    case AcceptRelief::Advice::kGiveUp:
      reactor_.log({LogLevel::kError,
                    "penstock: a listener has stopped: " + errorOf(error).message(), nullptr,
                    this});
      return;  // Its owner may still call stopListening().
  }
}

void Acceptor::open(OwnedFd accepted) noexcept {
  try {
    if (auto protocol = factory_())
      Stream::open(reactor_, std::move(accepted), std::move(protocol));
  } catch (...) {
    reactor_.logException("accepting a connection", nullptr, this);
  }
}

}  // namespace penstock::uring
