// sim::PollCalls: simulated epoll instances.
#pragma once

#include <penstock/runtime/system/poll_calls.h>
#include <penstock/sim/machine.h>

#include <optional>
#include <span>

namespace penstock::sim {

class PollCalls final : public penstock::PollCalls {
 public:
  explicit PollCalls(Machine& machine) noexcept : machine_(machine) {}

  int epollCreate() noexcept override;
  int epollCtl(int epoll, int operation, int fd, epoll_event* event) noexcept override;
  int epollWait(int epoll, std::span<epoll_event> events,
                std::optional<Duration> timeout) noexcept override;
  int eventfd() noexcept override;  // A real one: other threads and signal handlers write to it.

 private:
  using Real = penstock::PollCalls;

  Machine& machine_;
};

}  // namespace penstock::sim
