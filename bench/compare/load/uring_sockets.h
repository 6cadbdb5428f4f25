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
//
// A send that goes at once, as nearly all do, has no completion: that would end the wait for the
// answer before it began. Where the kernel can do that, a send is tried once in the entry that
// hands it over, and completes only if it could not be done whole; then the rest is sent waiting.
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
  enum class Operation : std::uint64_t { kTry, kSend, kRead, kCancel };
  static constexpr unsigned kOperationBits = 2;

  struct Socket {
    int fd = -1;
    bool reading = false;
    bool tried = false;  // Handed over to be tried once; it went, unless its completion says no.
    std::span<const std::byte> unsent;
    std::unique_ptr<std::byte[]> into;  // Made when it is first read.
  };

  struct Completion {
    std::uint64_t name;
    int result;
  };

  io_uring_sqe& entry(std::uint32_t index, Operation operation);
  static std::uint64_t nameOf(std::uint32_t index, Operation operation);
  static Operation operationOf(std::uint64_t name);
  static std::uint32_t indexOf(std::uint64_t name);
  void trySend(std::uint32_t index);
  void sendRest(std::uint32_t index);
  void read(std::uint32_t index);
  void enter(std::int64_t untilNs);
  void settleTries();
  Completion take();
  void completed(std::uint64_t name, int result);
  void sendCompleted(std::uint32_t index, int result);
  void readCompleted(std::uint32_t index, int result);
  void cancelAll();

  Events& listener_;
  const std::size_t bufferSize_;
  io_uring ring_{};
  bool deferred_ = false;
  std::vector<Socket> sockets_;
  std::vector<std::uint32_t> tried_;
  std::vector<std::uint32_t> settling_;
  std::size_t underWay_ = 0;  // Of what always completes: what has not.
};

}  // namespace penstock::compare
