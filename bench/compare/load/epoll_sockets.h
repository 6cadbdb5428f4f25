// EpollSockets: the load generator's connections on epoll, for where no ring works.
#pragma once

#include <penstock/bench/compare/load/client_socket.h>
#include <penstock/bench/compare/load/sockets.h>

#include <cstdint>
#include <span>
#include <vector>

namespace penstock::compare {

class EpollSockets final : public Sockets {
 public:
  explicit EpollSockets(Events& events);
  ~EpollSockets() override;

  void add(int fd) override;
  void send(std::uint32_t index, std::span<const std::byte> bytes) override;
  void turn(std::int64_t untilNs) override;

 private:
  struct Socket {
    int fd = -1;
    bool waitsForSpace = false;
    std::span<const std::byte> unsent;
  };

  void flush(std::uint32_t index);
  void receive(std::uint32_t index);

  Events& listener_;
  EventSet events_;
  std::vector<Socket> sockets_;
  std::vector<std::byte> into_;
};

}  // namespace penstock::compare
