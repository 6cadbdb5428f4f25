// uring::Acceptor: a listening socket.
#pragma once

#include <penstock/runtime/accept_relief.h>
#include <penstock/runtime/uring/operation.h>
#include <penstock/runtime/uring/reactor.h>

namespace penstock::uring {

class Acceptor final : public Listener, public ReactorObject {
 public:
  // Owned by `reactor` from here on.
  static Listener& open(Reactor& reactor, OwnedFd fd, ProtocolFactory factory);

  void stopListening() override;
  int descriptor() const noexcept override { return fd_.get(); }

  void disconnectFromReactor() noexcept override { stopListening(); }
  bool inUseByKernel() const noexcept override { return accept_.inFlight(); }

 private:
  Acceptor(Reactor& reactor, OwnedFd fd, ProtocolFactory factory);
  void acceptMore(bool once);
  void accepted(int result, std::uint32_t flags);
  void acceptFailed(long error);
  void open(OwnedFd accepted) noexcept;

  Reactor& reactor_;
  OwnedFd fd_;
  ProtocolFactory factory_;
  OperationOf<Acceptor, &Acceptor::accepted> accept_{*this};
  AcceptRelief relief_;
  bool listening_ = true;
  bool paused_ = false;  // Until the relief calls back.
};

}  // namespace penstock::uring
