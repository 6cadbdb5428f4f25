// epoll::Acceptor: a listening socket.
#pragma once

#include <penstock/runtime/accept_relief.h>
#include <penstock/runtime/epoll/reactor.h>

namespace penstock::epoll {

class Acceptor final : public Listener, public ReactorObject, public ReadyHandler {
 public:
  // Owned by `reactor` from here on. Throws std::system_error.
  static Listener& open(Reactor& reactor, OwnedFd fd, ProtocolFactory factory);

  void stopListening() override;
  int descriptor() const noexcept override { return fd_.get(); }

  void ready(std::uint32_t events) override;
  void disconnectFromReactor() noexcept override { stopListening(); }
  bool inUseByKernel() const noexcept override { return false; }

 private:
  static constexpr int kMostAcceptsPerTurn = 64;

  Acceptor(Reactor& reactor, OwnedFd fd, ProtocolFactory factory);
  bool acceptOne();
  bool acceptFailed(long error);
  void shed();
  SocketAddress accept(int& fd) noexcept;
  void open(OwnedFd accepted, const SocketAddress& peer) noexcept;

  Reactor& reactor_;
  OwnedFd fd_;
  const bool isUnix_;
  ProtocolFactory factory_;
  AcceptRelief relief_;
  int acceptsPerEvent_ = 1;  // Adapts, so that a quiet listener seldom hears EAGAIN.
};

}  // namespace penstock::epoll
