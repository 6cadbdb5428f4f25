// epoll::Reactor: ask when something is ready, then do it.
#pragma once

#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/core/receive_blocks.h>
#include <penstock/runtime/export.h>

#include <sys/epoll.h>

#include <array>
#include <cstdint>

namespace penstock::epoll {

class FileDescriptor;

// What an epoll event points at. The object outlives the batch of events it is in: the reactor
// frees what was retired only at the end of the turn.
class ReadyHandler {
 public:
  virtual void ready(std::uint32_t events) = 0;

  // ready() threw, as when memory is short; that was logged. What is level-triggered is reported
  // again anyway.
  virtual void readyFailed() noexcept {}

 protected:
  ~ReadyHandler() = default;
};

class PENSTOCK_API Reactor : public ReactorBase {
 public:
  explicit Reactor(ReactorOptions options);
  ~Reactor() override;

  Backend backend() const noexcept override { return Backend::kEpoll; }
  int pollDescriptor() const noexcept override { return epoll_.get(); }
  int socketFlags() const noexcept override;
  Memory memory() const noexcept override;

  // Reports `events` on `fd` to `handler` from now on, until the descriptor is closed. Throws
  // std::system_error.
  void addHandler(int fd, std::uint32_t events, ReadyHandler& handler);

  // The same where a refusal is no surprise: 0, or -errno.
  int tryAddHandler(int fd, std::uint32_t events, ReadyHandler& handler) noexcept;
  int changeHandler(int fd, std::uint32_t events, ReadyHandler& handler) noexcept;

  // Reports nothing of `fd` any more, and gives it back.
  OwnedFd removeHandler(OwnedFd fd) noexcept;
  void removeHandler(int fd) noexcept;

  // Reads once more in the next turn, without waiting for an event.
  void readAgain(FileDescriptor& descriptor) noexcept;

  // Flushes `descriptor` at the end of the turn. One that asks during an event also tries to send
  // as soon as the event is done, while what it sends is in the cache.
  void flushSoon(FileDescriptor& descriptor) noexcept;

  // Memory to receive into; see ReceiveBlocks::take().
  Block* receiveBlock(bool bulk) noexcept { return receiveBlocks_.take(bulk); }

 protected:
  Transport& makeStream(OwnedFd fd, std::unique_ptr<Protocol> protocol,
                        const SocketAddress& peer) override;
  Listener& makeListener(OwnedFd fd, ProtocolFactory factory, Callback atEnd) override;
  PendingConnect& makeConnect(OwnedFd fd, const sockaddr* to, socklen_t length,
                              ConnectHandler handler) override;
  penstock::Watch& makeWatch(int fd, Interest interest, WatchHandler handler) override;

  void poll(std::optional<Duration> timeout) override;
  void wake() noexcept override;
  void addStats(Stats& stats) const noexcept override;
  bool hasReadyWork() const noexcept override;

 private:
  class Waker;

  static constexpr std::size_t kEventsPerTurn = 256;

  template <class Handle>
  void dispatch(Handle handle);
  int control(int operation, int fd, std::uint32_t events, ReadyHandler& handler) noexcept;
  void handleEvent(ReadyHandler& handler, std::uint32_t events) noexcept;

  ReceiveBlocks receiveBlocks_;
  OwnedFd epoll_;
  OwnedFd event_;
  std::unique_ptr<Waker> waker_;
  IntrusiveList<FileDescriptor, InDeferred> readAgain_;
  IntrusiveList<FileDescriptor, InWriters> fresh_;  // Want to write since the present event began.
  bool inEvent_ = false;
  std::array<epoll_event, kEventsPerTurn> events_;
};

}  // namespace penstock::epoll
