// epoll::Acceptor: a listening socket.
#pragma once

#include <penstock/runtime/core/listener_base.h>
#include <penstock/runtime/epoll/reactor.h>

namespace penstock::epoll {

// Others may hold the same socket and change its mode, which belongs to all who share it: it is
// made non-blocking again when that is seen, and until then an accept for which nobody waits ends
// after the shortest timeout there is.
class Acceptor final : public ListenerBase, public ReadyHandler {
 public:
  // Owned by `reactor` from here on. Throws std::system_error.
  static Listener& open(Reactor& reactor, OwnedFd fd, ProtocolFactory factory, Callback atEnd);

  void ready(std::uint32_t events) override;
  bool inUseByKernel() const noexcept override { return false; }

 private:
  static constexpr int kMostAcceptsPerTurn = 64;

  Acceptor(Reactor& reactor, OwnedFd fd, ProtocolFactory factory, Callback atEnd);
  void startAccepting() override;
  void stopAccepting() override;
  OwnedFd letGo(OwnedFd fd) noexcept override;
  Transport& openStream(OwnedFd fd, std::unique_ptr<Protocol> protocol, const SocketAddress& peer,
                        ConnectionGroup& group) override;
  bool acceptOne();

  Reactor& reactor_;
  const bool isUnix_;
  int acceptsPerEvent_ = 1;  // Adapts, so that a quiet listener seldom hears EAGAIN.
};

}  // namespace penstock::epoll
