// uring::Watch: a descriptor of somebody else's, polled by the ring.
#pragma once

#include <penstock/runtime/core/watch_base.h>
#include <penstock/runtime/uring/operation.h>
#include <penstock/runtime/uring/reactor.h>

#include <cstdint>

namespace penstock::uring {

class Watch final : public WatchBase {
 public:
  // Owned by `reactor` from here on.
  static penstock::Watch& open(Reactor& reactor, int fd, Interest interest, WatchHandler handler);

  void runDeferred() override;
  bool inUseByKernel() const noexcept override { return poll_.inFlight(); }

 private:
  Watch(Reactor& reactor, int fd, Interest interest, WatchHandler handler);

  void update() override;
  void release() noexcept override;
  void apply();
  void polled(int result, std::uint32_t flags);

  Reactor& reactor_;
  OperationOf<Watch, &Watch::polled> poll_{*this};
};

}  // namespace penstock::uring
