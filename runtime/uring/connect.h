// uring::Connect: a connect under way.
#pragma once

#include <penstock/runtime/uring/operation.h>
#include <penstock/runtime/uring/reactor.h>

#include <sys/socket.h>

namespace penstock::uring {

class Connect final : public PendingConnect, public ReactorObject {
 public:
  // Owned by `reactor` from here on.
  static PendingConnect& open(Reactor& reactor, OwnedFd fd, const sockaddr* to, socklen_t length,
                              ConnectHandler handler);

  void cancel() override;

  void disconnectFromReactor() noexcept override;
  bool inUseByKernel() const noexcept override { return connect_.inFlight(); }

 private:
  Connect(Reactor& reactor, OwnedFd fd, const sockaddr* to, socklen_t length,
          ConnectHandler handler);
  void connected(int result, std::uint32_t flags);
  void finish(std::error_code why);

  Reactor& reactor_;
  OwnedFd fd_;
  ConnectHandler handler_;  // Empty once it was called.
  sockaddr_storage to_{};   // The kernel reads it until the completion.
  socklen_t length_;
  OperationOf<Connect, &Connect::connected> connect_{*this};
};

}  // namespace penstock::uring
