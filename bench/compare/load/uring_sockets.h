// UringSockets: the load generator's connections on io_uring.
#pragma once

#include <penstock/bench/compare/load/sockets.h>

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace penstock::compare {

// One kernel entry a turn: it hands over all sends and receives that were asked for since the last
// one, and waits. A connection has one receive under way, into its own buffer, and one send.
class UringSockets final : public Sockets {
 public:
  UringSockets(Events& events, std::size_t mostAtOnce);
  ~UringSockets() override;

  // Whether this machine lets us have a ring that is good for it.
  static bool work();

  void add(int fd) override;
  void send(std::uint32_t index, std::span<const std::byte> bytes) override;
  void turn(std::int64_t untilNs) override;

 private:
  enum class Operation : std::uint64_t { kSend, kRead, kCancel };
  static constexpr unsigned kOperationBits = 2;
  static constexpr std::uint64_t kOperationMask = (1U << kOperationBits) - 1;

  struct Socket {
    int fd = -1;
    bool reading = false;
    std::span<const std::byte> unsent;
    std::unique_ptr<std::byte[]> into;  // Made when it is first read.
  };

  io_uring_sqe& entry(std::uint32_t index, Operation operation);
  static std::uint64_t nameOf(std::uint32_t index, Operation operation);
  void sendRest(std::uint32_t index);
  void read(std::uint32_t index);
  void enter(std::int64_t untilNs);
  void completed(std::uint64_t name, int result);
  void sendCompleted(std::uint32_t index, int result);
  void readCompleted(std::uint32_t index, int result);
  void cancelAll();

  Events& listener_;
  const std::size_t bufferSize_;
  io_uring ring_{};
  std::uint16_t readFlags_ = 0;
  std::vector<Socket> sockets_;
  std::size_t underWay_ = 0;  // Entries that have not completed.
};

}  // namespace penstock::compare
