// Connection: a transport with a protocol on it; what the families share beyond the machine.
#pragma once

#include <penstock/runtime/core/connection_names.h>
#include <penstock/runtime/core/consumer_mixin.h>
#include <penstock/runtime/core/loop_object.h>
#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/export.h>
#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/parts/intrusive_list.h>

#include <cstddef>
#include <memory>
#include <system_error>
#include <utility>

namespace penstock {

class ConnectionGroup;

// Moves the bytes of a connection itself, on its descriptor. See Connection::lend().
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

// Owns the protocol and the descriptor, guards every callback, and carries out how connections
// begin and end. A family (or an in-memory transport) adds how bytes move.
// Twisted: tcp.Connection and the dispatch of posixbase.
class PENSTOCK_API Connection : public LoopObject,
                                public ConsumerMixin {  // Last: there is room behind its flags.
 public:
  // Ends the connection now: stops the producer, gives the descriptor back, tells the protocol
  // `why`, and retires this object. Does nothing the second time.
  // Twisted: FileDescriptor.connectionLost.
  void connectionLost(std::error_code why) final;

  int descriptor() const noexcept final { return fd_.get(); }
  ReactorBase& reactor() const noexcept final { return reactor_; }
  TransportHandle handle() final;

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
  void lend(DescriptorUser& user);

  // Ends that: `user` hears nothing more, and what comes is received and delivered again.
  void takeBack();

  // What `user` found when reading: the end of input (0) or -errno; told to the protocol.
  void lentReadEnded(ssize_t result);

  // `user` holds nothing more: a close or half-close that has waited for it goes on.
  void lentRestWritten();

  std::unique_ptr<Protocol> replaceProtocol(std::unique_ptr<Protocol> next) final;

  void runDeferred() final;

  void disconnectFromReactor() noexcept final;

 protected:
  Connection(ReactorBase& reactor, OwnedFd fd, std::unique_ptr<Protocol> protocol);
  ~Connection() override;

  // The connection is there: starts reading, then tells the protocol, so that a pause from
  // inside connectionMade() holds.
  void connectionMade();

  // Hands `bytes` to the protocol, which wants them. Look at disconnected() and wantsInput() after.
  void deliver(Bytes bytes);

  // What one receive brought into `block`: delivered in pieces of at most the delivery limit, as
  // long as the protocol wants them; the rest is held. Dropped where nobody will ever want it.
  void received(Block& block, Bytes bytes);

  // Whether something is held, which must be delivered before anything else.
  bool holdsInput() const noexcept { return held_ != nullptr; }
  void deliverHeld();

  // Whether the protocol wants what is received, now and ever again.
  bool wantsInput() const noexcept { return reading_ && mayWantInput(); }
  bool mayWantInput() const noexcept { return !disconnected() && !disconnecting() && !aborting(); }

  // The peer has ended its sending side. Reading is over for good.
  void endOfInput();

  // Reading is off, and the kernel tells of a socket error (`broken`), or that both directions are
  // over (`hungUp`): a reset is told at once. The end of input waits until reading is on again,
  // unless there is something to write, which can go nowhere.
  void hangUp(bool broken, bool hungUp);

  // The kernel has taken `count` more bytes (see ConsumerMixin::wrote): resumes the producer,
  // half-closes or closes, as is due. True: the connection lives and bytes are left to send.
  bool written(std::size_t count);

  bool isHalfCloseable() const noexcept { return protocol_->isHalfCloseable(); }

  // lend() was called: read no more, and call lentReady(true, true) once no read is in flight and
  // nothing received waits for delivery; then report readiness by lentReady().
  virtual void stopForLending() {}

  // takeBack() was called: read as before, whatever was reported meanwhile.
  virtual void continueAfterLending() {}

  bool lent() const noexcept { return user_ != nullptr; }
  void lentReady(bool readable, bool writable);

  bool restWritten() final { return !user_ || user_->writeRest(); }
  void startWriting() override;
  void startAborting() override;

  // Gives the descriptor back, with a reset if `reset`. What the kernel still uses of it is left
  // alone until its completion. The connection is marked as disconnected already.
  virtual void letGo(bool reset) noexcept = 0;

  // What the family had put off to this turn.
  virtual void continueDeferred() {}

  // Shuts the sending side down; a failure shows in the next operation.
  virtual void shutdownWriting() noexcept;

  // Ends what goes over `fd_` in both directions, whoever else holds a copy of it: the peer sees
  // the end, or if `reset` a reset. Before it is closed.
  void endSocket(bool reset) noexcept;

  bool reading_ = false;  // Nothing is delivered otherwise.
  OwnedFd fd_;

 private:
  // Runs `call`, logging an exception and losing the connection for it.
  template <class Call>
  void guarded(Call call) noexcept;
  std::size_t deliverPieces(Block& block, Bytes bytes);
  void hold(Block& block, Bytes bytes);
  Bytes nextPiece(Bytes bytes) const noexcept;
  bool endsInReset(std::error_code why) const noexcept;
  std::error_code reasonOfAbort() const noexcept;
  bool resetSocket() noexcept;
  void halfClose();
  void keepNames() noexcept;
  void leaveGroup();
  void workFailed() noexcept final;

  ReactorBase& reactor_;
  std::unique_ptr<Protocol> protocol_;
  DescriptorUser* user_ = nullptr;
  std::unique_ptr<WriteBuffer> held_;  // Received while nobody wanted it; null if nothing was.
  ConnectionNames names_;
  ConnectionGroup* group_ = nullptr;
};

}  // namespace penstock
