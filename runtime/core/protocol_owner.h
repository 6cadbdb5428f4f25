// ProtocolOwner: a transport with a protocol on it: how they begin, call and end.
#pragma once

#include <penstock/runtime/core/consumer_mixin.h>
#include <penstock/runtime/core/loop_object.h>
#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/export.h>

#include <cstddef>
#include <memory>
#include <system_error>

namespace penstock {

// What a ProtocolOwner has, as a base so that it lies before the machine: behind the flags of that
// is room for what subclasses have.
struct OwnedProtocol {
  ReactorBase& reactor_;
  std::unique_ptr<Protocol> protocol_;
};

// Owns the protocol, guards every callback, and carries out beginnings and endings. Has no
// descriptor: how bytes move, and what there is to let go of, is its subclass's.
// Twisted: tcp.Connection and the dispatch of posixbase.
class PENSTOCK_API ProtocolOwner : public LoopObject, private OwnedProtocol, public ConsumerMixin {
 public:
  // Ends the connection now: stops the producer, lets go of what it moves bytes by, tells the
  // protocol `why`, and retires this object. Does nothing the second time.
  // Twisted: FileDescriptor.connectionLost.
  void connectionLost(std::error_code why) final;

  ReactorBase& reactor() const noexcept final { return reactor_; }
  TransportHandle handle() final;
  std::unique_ptr<Protocol> replaceProtocol(std::unique_ptr<Protocol> next) final;

  void runDeferred() final;
  void disconnectFromReactor() noexcept final;

 protected:
  // Throws std::invalid_argument for a null protocol.
  ProtocolOwner(ReactorBase& reactor, std::unique_ptr<Protocol> protocol);

  // The connection is there: starts reading, then tells the protocol, so that a pause from
  // inside connectionMade() holds.
  void connectionMade();

  // Hands `bytes` to the protocol, which wants them. Look at disconnected() and wantsInput() after.
  void deliver(Bytes bytes);

  // Whether the protocol wants what is received, now and ever again.
  bool wantsInput() const noexcept { return reading_ && mayWantInput(); }
  bool mayWantInput() const noexcept { return !disconnected() && !disconnecting() && !aborting(); }

  // The peer has ended its sending side. Reading is over for good.
  void endOfInput();

  // `count` more bytes are taken (see ConsumerMixin::wrote): resumes the producer, half-closes or
  // closes, as is due. True: the connection lives and bytes are left to send.
  bool written(std::size_t count);

  bool isHalfCloseable() const noexcept { return protocol_->isHalfCloseable(); }

  void startWriting() override;
  void startAborting() override;
  void workFailed() noexcept final;

  // --- What a subclass does ----------------------------------------------------------------------

  // Gives back what it moves bytes by; if `reset`, so that the peer sees that something is missing.
  // The connection is marked as disconnected already.
  virtual void letGo(bool reset) noexcept = 0;

  // Nothing more is written: the peer is to see the end of its input.
  virtual void shutdownWriting() noexcept = 0;

  // What it had put off to this turn.
  virtual void continueDeferred() {}

  // The connection is about to end: the last time to ask the kernel.
  virtual void aboutToEnd() noexcept {}

  // The protocol was told of the end.
  virtual void ended() {}

  // Whether bytes were taken for this connection that lie elsewhere, or could.
  enum class Elsewhere { kNothing, kMayCome, kBytes };
  virtual Elsewhere elsewhere() const noexcept { return Elsewhere::kNothing; }

  bool reading_ = false;  // Nothing is delivered otherwise.

 private:
  // Runs `call`, logging an exception and losing the connection for it.
  template <class Call>
  void guarded(Call call) noexcept;
  bool endsInReset(std::error_code why) const noexcept;
  std::error_code reasonOfAbort() const noexcept;
  void halfClose();
};

}  // namespace penstock
