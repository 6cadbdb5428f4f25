// StreamLoad: bytes without end, to the server, from it, or through it.
#pragma once

#include <penstock/bench/compare/load/client_socket.h>
#include <penstock/bench/compare/load/load.h>
#include <penstock/bench/compare/pattern.h>

#include <poll.h>

#include <cstdint>
#include <vector>

namespace penstock::compare {

// What flows. A unit is a MiB: received where bytes come back, else sent.
struct StreamKind {
  bool sends = false;
  bool receives = false;
  const Pattern* pattern = nullptr;

  // The bytes come back at a connection that the server makes to us: it relays.
  bool comesBackElsewhere = false;

  // Read no faster than this, bytes a second over all connections; 0: as fast as they come.
  double readRate = 0;

  // In measured slices the bytes are sent from a file and taken off the socket unseen, so that
  // the client is cheap enough to saturate the server. They are checked before and after them,
  // and counted throughout.
  bool cheapWindow = false;
};

// Several connections, each as fast as it goes.
class StreamLoad final : public Load {
 public:
  StreamLoad(const LoadRequest& request, StreamKind kind);
  ~StreamLoad() override;

  void connect() override;
  void resume() override;
  void turn(std::int64_t untilNs) override;
  void drain() override;
  void finish() override;
  double units() const noexcept override;
  double settledUnits() const override;
  std::uint64_t checkedBytes() const noexcept override { return checkedBytes_; }

 private:
  struct Lane {
    int outFd = -1;
    int inFd = -1;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    std::uint64_t wanted = 0;  // Before awaitAll() is content.
  };

  void openLane();
  void watch(const Lane& lane, std::uint32_t index);
  void send(Lane& lane);
  std::size_t sendFromFile(const Lane& lane);
  std::size_t receive(Lane& lane, std::size_t most);
  void check(const Lane& lane, std::size_t count);
  void readAtRate(std::int64_t now);
  bool isHeld() const noexcept;
  bool isCheap() const noexcept { return kind_.cheapWindow && recording(); }
  void awaitAll();
  void awaitSent() const;
  std::vector<pollfd> socketsLacking() const;
  std::uint64_t bytesLacking() const noexcept;
  void expectEnd(const Lane& lane);

  const LoadRequest request_;
  const StreamKind kind_;
  EventSet events_;
  std::vector<Lane> lanes_;
  std::vector<std::byte> into_;
  int file_ = -1;  // The pattern, for sending without a copy.
  std::int64_t nextReadNs_ = 0;
  std::size_t readTurn_ = 0;
  std::int64_t residentBefore_ = 0;
  std::uint64_t sentBytes_ = 0;
  std::uint64_t receivedBytes_ = 0;
  std::uint64_t checkedBytes_ = 0;
};

}  // namespace penstock::compare
