#include <penstock/runtime/uring/acceptor.h>
#include <penstock/runtime/uring/ring.h>
#include <penstock/runtime/uring/stream.h>

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace penstock::uring {

// What the kernel writes to stays here until it has.
struct Acceptor::Accept final : Operation {
  explicit Accept(Acceptor& owner) noexcept : Operation(&completes), acceptor(owner) {}

  static void completes(Operation& operation, int result, std::uint32_t flags) {
    auto& accept = static_cast<Accept&>(operation);
    accept.acceptor.completed(accept, result, flags);
  }
  sockaddr* address() noexcept { return reinterpret_cast<sockaddr*>(&peer); }

  Acceptor& acceptor;
  sockaddr_storage peer;
  socklen_t length;
  bool pollsFirst;
};

Acceptor::Acceptor(Reactor& reactor, OwnedFd fd, ProtocolFactory factory, Callback atEnd)
    : ListenerBase(reactor, std::move(fd), std::move(factory), std::move(atEnd)),
      reactor_(reactor) {}

Acceptor::~Acceptor() = default;

Listener& Acceptor::open(Reactor& reactor, OwnedFd fd, ProtocolFactory factory, Callback atEnd) {
  std::unique_ptr<Acceptor> acceptor(
      new Acceptor(reactor, std::move(fd), std::move(factory), std::move(atEnd)));
  acceptor->begin();
  return *acceptor.release();
}

// At once: what is accepted later would be nobody's, and the address would not be free.
void Acceptor::stopAccepting() {
  std::vector<Operation*> all;
  for (const auto& accept : accepts_) all.push_back(accept.get());
  all.push_back(&poll_);
  reactor_.cancelNow(all);
}

Transport& Acceptor::openStream(OwnedFd fd, std::unique_ptr<Protocol> protocol,
                                const SocketAddress& peer, ConnectionGroup& group) {
  return Stream::open(reactor_, std::move(fd), std::move(protocol), peer, &group);
}

void Acceptor::acceptMore() {
  if (pollsFirst_ && !isReady_) return waitForReadiness();
  while (mayAccept() && inFlight_ < std::min(wanted_, room())) submit(idleAccept());
}

Acceptor::Accept& Acceptor::idleAccept() {
  if (idle_.empty()) {
    idle_.reserve(accepts_.size() + 1);
    accepts_.push_back(std::make_unique<Accept>(*this));
    return *accepts_.back();
  }
  Accept& accept = *idle_.back();
  idle_.pop_back();
  return accept;
}

void Acceptor::submit(Accept& accept) {
  accept.length = sizeof accept.peer;
  accept.pollsFirst = tellsOfMore_;
  ++inFlight_;
  reactor_.submit(accept, [&](io_uring_sqe& entry) {
    io_uring_prep_accept(&entry, descriptor(), accept.address(), &accept.length, SOCK_CLOEXEC);
    if (accept.pollsFirst) entry.ioprio |= kAcceptPollFirst;
  });
}

void Acceptor::completed(Accept& accept, int result, std::uint32_t flags) {
  const SocketAddress peer(accept.address(), result >= 0 ? accept.length : 0);
  --inFlight_;
  idle_.push_back(&accept);
  adapt((flags & IORING_CQE_F_SOCK_NONEMPTY) != 0);
  if (result >= 0) {
    accepted(OwnedFd(result), peer);
  } else if (result == -EAGAIN) {
    pollsFirst_ = true;
    isReady_ = false;
    nothingToAccept();
  } else if (result == -EINVAL && accept.pollsFirst) {
    tellsOfMore_ = false;  // The next tells whether it was this.
  } else if (result != -ECANCELED) {
    wanted_ =
        std::min(inFlight_ + 1, kMostAccepts);  // Those that wait need not hear of what waits.
    acceptFailed(result, inFlight_ > 0);
  }
  if (mayAccept()) acceptMore();
}

// As many in flight as complete in one turn, and twice that while more wait. Kernels before 6.10 do
// not say whether more wait. One that finds nobody costs as much as a whole connection, unless it
// awaits readiness before it looks, which came with the same kernel.
void Acceptor::adapt(bool moreWait) noexcept {
  if (std::exchange(turn_, reactor_.turnNumber()) != reactor_.turnNumber()) {
    wanted_ = std::clamp<std::size_t>(completedInTurn_, 1, wanted_);
    completedInTurn_ = 0;
  }
  tellsOfMore_ |= moreWait;
  const bool mayWait = moreWait || !tellsOfMore_;
  if (++completedInTurn_ >= wanted_ && mayWait) wanted_ = std::min(2 * wanted_, kMostAccepts);
}

void Acceptor::waitForReadiness() {
  if (poll_.inFlight()) return;
  reactor_.submit(
      poll_, [&](io_uring_sqe& entry) { io_uring_prep_poll_add(&entry, descriptor(), POLLIN); });
}

// Whatever came of it, the next accept tells more.
void Acceptor::ready(int, std::uint32_t) {
  isReady_ = true;
  if (mayAccept()) acceptMore();
}

}  // namespace penstock::uring
