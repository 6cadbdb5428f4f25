// epoll::Watch: a descriptor of somebody else's, in the interest list.
#pragma once

#include <penstock/runtime/core/watch_base.h>
#include <penstock/runtime/epoll/reactor.h>

#include <cstdint>

namespace penstock::epoll {

class Watch final : public WatchBase, public ReadyHandler {
 public:
  // Owned by `reactor` from here on.
  Watch(Reactor& reactor, int fd, Interest interest, WatchHandler handler);

  void ready(std::uint32_t events) override;
  bool inUseByKernel() const noexcept override { return false; }

 private:
  void runDeferred() override;
  void release() noexcept override;
  void apply();

  Reactor& reactor_;
  bool added_ = false;        // In the interest list.
  bool alwaysReady_ = false;  // A file that nobody can wait for.
};

}  // namespace penstock::epoll
