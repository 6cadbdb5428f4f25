// epoll::Connect: a connect under way.
#pragma once

#include <penstock/runtime/epoll/reactor.h>

namespace penstock::epoll {

class Connect final : public PendingConnect, public ReactorObject, public ReadyHandler {
 public:
  // Owned by `reactor` from here on.
  static PendingConnect& open(Reactor& reactor, OwnedFd fd, const sockaddr* to, socklen_t length,
                              ConnectHandler handler);

  void cancel() override;

  void ready(std::uint32_t events) override;
  void disconnectFromReactor() noexcept override;
  bool inUseByKernel() const noexcept override { return false; }

 private:
  Connect(Reactor& reactor, OwnedFd fd, ConnectHandler handler);
  void finish(std::error_code why);
  void giveUp() noexcept;
  void close() noexcept;

  Reactor& reactor_;
  OwnedFd fd_;
  ConnectHandler handler_;  // Empty once it was called.
  Timer failure_;           // Tells of a refusal that came at once, in the next turn.
  long error_ = 0;
};

}  // namespace penstock::epoll
