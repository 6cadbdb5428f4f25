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
  Watch(Reactor& reactor, int fd, Interest interest, WatchHandler handler);

  bool inUseByKernel() const noexcept override { return poll_.inFlight(); }

 private:
  void runDeferred() override;
  void release() noexcept override;
  void polled(int result, std::uint32_t flags);

  Reactor& reactor_;
  OperationOf<Watch, &Watch::polled> poll_{*this};
};

}  // namespace penstock::uring
