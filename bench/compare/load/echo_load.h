// EchoLoad: messages that come back as they went, in a closed or an open loop.
#pragma once

#include <penstock/bench/compare/load/load.h>
#include <penstock/bench/compare/load/sockets.h>
#include <penstock/bench/compare/pattern.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <random>
#include <vector>

namespace penstock::compare {

// Closed loop: each connection has `depth` messages under way; one that comes back is followed by
// the next. Open loop: messages start at random times (a Poisson process of the rate asked for),
// whatever the server does, and latency counts from the moment a message was to start, so that
// a server that falls behind cannot hide it.
class EchoLoad : public Load, private Sockets::Events {
 public:
  explicit EchoLoad(const LoadRequest& request);

  void connect() override;
  void resume() override;
  void turn(std::int64_t untilNs) override;
  void drain() override;
  bool ready() const noexcept override { return request_.cell.open() || answered_ >= active_; }
  double underWay() const noexcept override { return static_cast<double>(underWay_); }
  double units() const noexcept override { return static_cast<double>(messages_); }
  std::uint64_t checkedBytes() const noexcept override { return checkedBytes_; }

 protected:
  struct Connection {
    bool sending = false;
    std::uint64_t offset = 0;          // Where in the pattern this connection began.
    std::uint64_t sent = 0;            // Bytes handed to the kernel.
    std::uint64_t wanted = 0;          // Bytes of messages that have started.
    std::uint64_t received = 0;        // Bytes.
    std::deque<std::int64_t> started;  // When each message under way was to start.
  };

  // Opens one more connection.
  void open();

  // The first `active` connections have traffic.
  void setActive(std::size_t active) noexcept { active_ = active; }

  // One message on a connection without traffic; waits for the answer.
  void roundTrip(Connection& connection);

  const LoadRequest& request() const noexcept { return request_; }
  std::vector<Connection>& connections() noexcept { return connections_; }

 private:
  // Starts `count` messages whose time is `ns`.
  void startMessages(Connection& connection, unsigned count, std::int64_t ns);
  // To all messages under way. Throws ServerFault when none comes for long.
  void awaitAnswers();
  void startDueMessages();
  void planNext();
  void flush(Connection& connection);
  void sent(std::uint32_t index) override;
  void received(std::uint32_t index, std::span<const std::byte> bytes) override;
  void check(const Connection& connection, std::span<const std::byte> bytes);
  void completed(Connection& connection, unsigned count, std::int64_t ns);
  std::uint32_t indexOf(const Connection& connection) const noexcept;

  const LoadRequest request_;
  const Pattern& pattern_ = Pattern::scrambled();
  std::vector<Connection> connections_;
  const std::unique_ptr<Sockets> sockets_;
  bool running_ = false;
  std::size_t active_ = 0;
  std::size_t answered_ = 0;  // Connections that were, once.
  std::size_t underWay_ = 0;  // Messages without an answer yet.
  std::uint64_t messages_ = 0;
  std::uint64_t checkedBytes_ = 0;

  // The open loop.
  std::mt19937_64 random_;
  std::exponential_distribution<double> gapSeconds_;
  double nextNs_ = 0;
  std::size_t turnOf_ = 0;
};

}  // namespace penstock::compare
