// uring::Acceptor: a listening socket.
#pragma once

#include <penstock/runtime/core/listener_base.h>
#include <penstock/runtime/uring/operation.h>
#include <penstock/runtime/uring/reactor.h>

#include <sys/socket.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace penstock::uring {

// Accepts are in flight, each for one connection, as many as come in a turn: a multishot
// accept could not tell the address of each, and takes connections that nobody has asked for yet
// when it is to end. Where somebody who shares the socket has made it non-blocking, which fails an
// accept that would have to wait, they wait for readiness first.
class Acceptor final : public ListenerBase {
 public:
  // Owned by `reactor` from here on.
  static Listener& open(Reactor& reactor, OwnedFd fd, ProtocolFactory factory, Callback atEnd);

  ~Acceptor() override;
  bool inUseByKernel() const noexcept override { return inFlight_ > 0 || poll_.inFlight(); }

 private:
  static constexpr std::size_t kMostAccepts = 32;

  struct Accept;

  Acceptor(Reactor& reactor, OwnedFd fd, ProtocolFactory factory, Callback atEnd);
  void startAccepting() override { acceptMore(); }
  void stopAccepting() override;
  std::size_t acceptsInFlight() const noexcept override { return inFlight_; }
  Transport& openStream(OwnedFd fd, std::unique_ptr<Protocol> protocol, const SocketAddress& peer,
                        ConnectionGroup& group) override;

  void acceptMore();
  void submit(Accept& accept);
  Accept& idleAccept();
  void completed(Accept& accept, int result, std::uint32_t flags);
  void adapt(bool moreWait) noexcept;
  void waitForReadiness();
  void ready(int result, std::uint32_t flags);

  Reactor& reactor_;
  std::vector<std::unique_ptr<Accept>> accepts_;
  std::vector<Accept*> idle_;
  std::size_t inFlight_ = 0;
  std::size_t wanted_ = 1;  // How many to have in flight.
  std::size_t completedInTurn_ = 0;
  std::uint64_t turn_ = 0;
  OperationOf<Acceptor, &Acceptor::ready> poll_{*this};
  bool pollsFirst_ = false;  // An accept has failed instead of waiting.
  bool isReady_ = true;
  bool tellsOfMore_ = false;  // Completions say whether more wait.
};

}  // namespace penstock::uring
