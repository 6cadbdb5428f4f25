// Socket: a simulated stream socket, listening or connected.
#pragma once

#include <penstock/sim/channel.h>
#include <penstock/sim/file.h>
#include <penstock/sim/orders.h>

#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace penstock::sim {

// The address of a socket, as the kernel would copy it.
struct Name {
  sockaddr_storage address{};
  socklen_t length = 0;
};

// Behaves as Linux does for TCP on loopback and for UNIX stream sockets, in what the library can
// see of it. No call blocks: what a blocking socket would wait for is -EAGAIN or -EINPROGRESS here,
// and a request of the ring waits for readiness and tries again.
class Socket final : public File, public ChannelEnd {
 public:
  enum class State { kFresh, kListening, kConnecting, kConnected };

  Socket(World& world, int domain) : world_(world), domain_(domain) {}
  ~Socket() override;

  int domain() const noexcept { return domain_; }
  bool isUnix() const noexcept { return domain_ == AF_UNIX; }
  State state() const noexcept { return state_; }

  // Joins two fresh sockets.
  static void join(Socket& one, Socket& other);

  // Bytes taken or given, 0 for the end of input, or -errno.
  ssize_t receive(std::span<const iovec> into, int flags);
  ssize_t send(std::span<const iovec> from);

  // At most so many bytes, and then it is full for a while.
  ssize_t sendPart(std::span<const iovec> from, std::size_t most);

  // The same with an ordered fault: what comes of it.
  ssize_t send(std::span<const iovec> from, const Order& order);

  // An ordered fault for the receive that is about to find bytes: what it returns instead, or
  // nothing if it finds some all the same.
  std::optional<ssize_t> withhold(const Order& order);

  // For the bytes that are sent next: they arrive later.
  void delayOutput(Duration delay) { out_->hold(delay); }

  // What send() would fail with whatever the space, or 0.
  int refusal();

  // How much send() would take. If that is nothing, an edge tells when it is more.
  std::size_t awaitSpace();
  std::size_t readable() const noexcept { return in_ ? in_->readable() : 0; }

  int shutdown(int how);
  int listen(int backlog);

  // A connection of the queue, or null and why not.
  std::pair<std::shared_ptr<Socket>, int> accept();
  bool hasConnections() const noexcept { return !accepted_.empty(); }

  // For a listener: makes the connection, now or when the queue has room.
  void admit(const std::shared_ptr<Socket>& client);
  bool isFull() const noexcept { return accepted_.size() > backlog_; }

  void setConnecting() noexcept { state_ = State::kConnecting; }
  void connectFailed(int error);

  // The pending error as SO_ERROR has it: positive, and gone once taken.
  int takeError() noexcept { return std::exchange(error_, 0); }
  int setOption(int level, int name, const void* value, socklen_t length);
  int getOption(int level, int name, void* value, socklen_t* length);
  bool hasFlag(int level, int name) const;

  // connect(2) with AF_UNSPEC: ends a TCP connection with a reset.
  int disconnect();

  // Both sides lose the connection, as by a network.
  void breakDown();

  // How many bytes more it takes from its peer.
  void setWindow(std::size_t bytes) {
    if (in_) in_->setWindow(bytes);
  }

  // For a while nothing more can be sent, or nothing received. False: it is too late for that.
  void stall();
  bool withdraw() { return in_ && in_->withdraw(); }

  // `name`, one of its own, as getsockname(2) gives it. 0.
  int copyName(const Name& name, sockaddr* address, socklen_t* length) const;

  std::uint32_t readiness() const override;
  void bytesArrived() override { notify(0); }
  void spaceFreed() override { notify(EPOLLOUT); }

  Name local;
  Name remote;
  bool exempt = false;  // Its synchronous calls suffer no faults: the test's own end.

 private:
  void connected();
  void admitWaiting();
  void wasReset();
  void closeConnection();
  bool receivesNoMore() const noexcept { return shutRead_ || broken_ || in_->ended(); }
  bool sendsNoMore() const noexcept;
  ssize_t sendToNobody(std::span<const iovec> from);

  World& world_;
  const int domain_;
  State state_ = State::kFresh;
  std::shared_ptr<Channel> in_;
  std::shared_ptr<Channel> out_;
  Socket* peer_ = nullptr;  // Null again when it is gone.
  int error_ = 0;
  bool broken_ = false;  // Reset: nothing goes either way.
  bool shutRead_ = false;
  bool shutWrite_ = false;
  bool resetOnClose_ = false;
  std::optional<std::size_t> sendBuffer_;
  std::size_t backlog_ = 0;
  std::deque<std::shared_ptr<Socket>> accepted_;
  std::deque<std::weak_ptr<Socket>> waiting_;  // Found the queue full.
  std::map<std::pair<int, int>, std::vector<std::byte>> options_;
};

}  // namespace penstock::sim
