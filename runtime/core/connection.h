// Connection: a transport over a descriptor; what the families share beyond its protocol.
#pragma once

#include <penstock/runtime/core/connection_names.h>
#include <penstock/runtime/core/descriptor_kind.h>
#include <penstock/runtime/core/protocol_owner.h>
#include <penstock/runtime/export.h>
#include <penstock/runtime/owned_fd.h>

#include <cstddef>
#include <memory>

namespace penstock {

class ConnectionGroup;

// Moves the bytes of a connection itself, on its descriptor. See Connection::lendDescriptor().
class DescriptorUser {
 public:
  // Once when the descriptor is free to use, then at each edge of readiness: `readable` and
  // `writable` say what to try. May end the connection or the lending, not destroy either.
  virtual void descriptorReady(bool readable, bool writable) = 0;

  // A close or half-close is due and all that was queued is written: writes what the user itself
  // still holds for this connection. False: not all of it yet; see Connection::lentRestWritten().
  virtual bool writeRest() = 0;

  // Whether the user still holds something for this connection.
  virtual bool hasRest() const noexcept = 0;

 protected:
  ~DescriptorUser() = default;
};

// Owns the descriptor, knows the names of both sides, keeps what was received while nobody wanted
// it, and lends the descriptor out. A family adds how bytes move over it.
class PENSTOCK_API Connection : public ProtocolOwner {
 public:
  int descriptor() const noexcept final { return fd_.get(); }
  Connection* spliceable() noexcept final { return fd_ ? this : nullptr; }

  SocketAddress peerAddress() const noexcept final;
  SocketAddress hostAddress() const noexcept final;

  // Before it is made: who the other side is, which is asked of the kernel if `peer` is empty, and
  // among which connections this one counts.
  void comesFrom(const SocketAddress& peer, ConnectionGroup* group = nullptr);

  Connection* connectionOf(const ConnectionGroup& group) noexcept final {
    return group_ == &group ? this : nullptr;
  }

  // Lends the descriptor to `user`, who reads and writes it from then on: as soon as all that was
  // received has been delivered, and no read is in flight. What is still queued for writing is
  // flushed as always; `user` looks at bufferedBytes() before it writes itself.
  void lendDescriptor(DescriptorUser& user);

  // Ends that: `user` hears nothing more, and what comes is received and delivered again.
  void takeDescriptorBack();

  // What `user` found when reading: the end of input (0) or -errno; told to the protocol.
  void lentReadEnded(ssize_t result);

  // `user` holds nothing more: a close or half-close that has waited for it goes on.
  void lentRestWritten();

 protected:
  // The most that one operation writes, in bytes.
  static constexpr std::size_t kMostBytesPerWrite = 1 << 20;

  Connection(ReactorBase& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol);
  ~Connection() override;

  // What one receive brought into `block`: delivered in pieces of at most the delivery limit, as
  // long as the protocol wants them; the rest is held. Dropped where nobody will ever want it.
  void received(Block& block, Bytes bytes);

  // Whether something is held, which must be delivered before anything else.
  bool holdsInput() const noexcept { return held_ != nullptr; }
  void deliverHeld();

  // Reading is off, and the kernel tells of an error (`broken`), or that both directions are
  // over (`hungUp`): a reset is told at once. The end of input waits until reading is on again,
  // unless there is something to write, which can go nowhere.
  void hangUp(bool broken, bool hungUp);

  // lendDescriptor() was called: read no more, and call lentReady(true, true) once no read is in
  // flight and nothing received waits for delivery; then report readiness by lentReady().
  virtual void stopForLending() = 0;

  // takeDescriptorBack() was called: read as before, whatever was reported meanwhile.
  virtual void continueAfterLending() = 0;

  bool lent() const noexcept { return user_ != nullptr; }
  void lentReady(bool readable, bool writable);

  // What kind of thing the descriptor is.
  virtual const DescriptorKind& kind() const noexcept { return socketKind(); }

  // Ends what goes over `fd_`, as letGo() must before it closes it.
  void endDescriptor(bool reset) noexcept;

  OwnedFd fd_;

 private:
  void shutdownWriting() noexcept final { kind().endWriting(fd_.get()); }
  void aboutToEnd() noexcept final;
  void ended() final { leaveGroup(); }
  Elsewhere elsewhere() const noexcept final;
  bool restWritten() final { return !user_ || user_->writeRest(); }
  std::size_t deliverPieces(Block& block, Bytes bytes);
  void hold(Block& block, Bytes bytes);
  Bytes nextPiece(Bytes bytes) const noexcept;
  void leaveGroup();

  DescriptorUser* user_ = nullptr;
  std::unique_ptr<WriteBuffer> held_;  // Received while nobody wanted it; null if nothing was.
  ConnectionNames names_;
  ConnectionGroup* group_ = nullptr;
};

}  // namespace penstock
