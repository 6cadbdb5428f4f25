// ChurnLoad: connect, one message there and back, close; over and over.
#pragma once

#include <penstock/bench/compare/load/client_socket.h>
#include <penstock/bench/compare/load/load.h>
#include <penstock/bench/compare/pattern.h>

#include <cstdint>
#include <vector>

namespace penstock::compare {

// As many connections at once as the cell says; each that is done makes room for the next. This
// side closes first and keeps the TIME_WAIT; it takes turns among many addresses of 127.0.0.0/8,
// because one of them has not ports enough.
class ChurnLoad final : public Load {
 public:
  explicit ChurnLoad(const LoadRequest& request);
  ~ChurnLoad() override;

  void connect() override {}
  void resume() override;
  void turn(std::int64_t untilNs) override;
  void drain() override;
  double units() const noexcept override { return static_cast<double>(connections_); }
  std::uint64_t checkedBytes() const noexcept override { return checkedBytes_; }

 private:
  struct Slot {
    int fd = -1;
    std::uint64_t position = 0;  // Of its message in the pattern.
    std::size_t sent = 0;
    std::size_t received = 0;
    std::int64_t startedNs = 0;
  };

  void open(std::uint32_t index);
  void send(Slot& slot, std::uint32_t index);
  void receive(Slot& slot, std::uint32_t index);
  std::uint32_t nextSource();

  const LoadRequest request_;
  const Pattern& pattern_ = Pattern::scrambled();
  EventSet events_;
  std::vector<Slot> slots_;
  std::vector<std::byte> into_;
  bool running_ = false;
  std::size_t openNow_ = 0;
  std::uint64_t opened_ = 0;
  std::uint64_t connections_ = 0;
  std::uint64_t checkedBytes_ = 0;
};

}  // namespace penstock::compare
