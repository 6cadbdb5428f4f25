// What a connection offers (Transport), what it asks for (Protocol), and how connections begin.
#pragma once

#include <penstock/runtime/producer.h>
#include <penstock/runtime/unique_function.h>

#include <cstddef>
#include <memory>
#include <system_error>

namespace penstock {

class OwnedFd;
class Protocol;
class Reactor;

// One connection: a Consumer of what we send and a streaming Producer of what we receive.
// The reactor owns it; a reference is good from connectionMade() until connectionLost() returns.
// Loop thread only. Twisted: ITransport, ITCPTransport, IHalfCloseableDescriptor.
class Transport : public Consumer, public Producer {
 public:
  // The default for setHighWaterMark, in bytes. Twisted: FileDescriptor.bufferSize.
  static constexpr std::size_t kHighWaterMark = 65536;

  // Closes once all is written and the registered producer has unregistered; what is written until
  // then is still sent. Reading stops now.
  // The protocol hears connectionLost({}) later; only if this side had already half-closed does
  // it come from inside this call.
  virtual void loseConnection() = 0;

  // Half-closes (shutdown(SHUT_WR)) once all is written; reading goes on. A half-closeable
  // protocol hears writeConnectionLost(). Writes until then are still sent, later ones ignored.
  virtual void loseWriteConnection() = 0;

  // Drops what is queued and resets the connection; a UNIX socket has no reset, its peer sees the
  // end. The protocol hears connectionLost(ConnectionError::kAborted) in the next turn, never from
  // inside this call, and nothing else before it.
  virtual void abortConnection() = 0;

  // unregisterProducer() and loseConnection() in one.
  virtual void stopConsuming() = 0;

  // As a producer: pauseProducing() stops delivering what is received, and no dataReceived()
  // comes until resumeProducing(); stopProducing() is loseConnection().

  // Full is strictly more than `bytes` waiting: then a streaming producer is paused.
  virtual void setHighWaterMark(std::size_t bytes) = 0;

  // A paused producer is resumed when no more than `bytes` wait. The default 0 is Twisted's rule:
  // resume when all has been handed to the kernel. Must be below the high-water mark.
  virtual void setLowWaterMark(std::size_t bytes) = 0;

  // The state, by Twisted's names.
  virtual bool connected() const noexcept = 0;           // Between made and lost.
  virtual bool disconnecting() const noexcept = 0;       // loseConnection() was called.
  virtual bool disconnected() const noexcept = 0;        // Over.
  virtual bool writeDisconnecting() const noexcept = 0;  // loseWriteConnection() was called.
  virtual bool writeDisconnected() const noexcept = 0;   // The half-close was carried out.
  virtual Producer* producer() const noexcept = 0;       // Null when none is registered.
  virtual bool producerPaused() const noexcept = 0;
  virtual bool streamingProducer() const noexcept = 0;

  // Bytes accepted by write() and not yet taken by the kernel.
  virtual std::size_t bufferedBytes() const noexcept = 0;

  // For getHost(), getPeer() and socket options; -1 where there is none. Never close it.
  virtual int descriptor() const noexcept = 0;

  virtual Reactor& reactor() const noexcept = 0;

  // Puts `next` in the place of the protocol and gives that back, which hears replaced() and
  // nothing more; `next` is not called. The one given back may be running: whoever gets it keeps it
  // until its call has returned.
  virtual std::unique_ptr<Protocol> replaceProtocol(std::unique_ptr<Protocol> next) noexcept = 0;

 protected:
  ~Transport() = default;
};

// The user's side of a connection. The transport owns it. All calls come on the loop's thread,
// none from inside write(). An exception from any of them is logged and loses this connection
// with ConnectionError::kProtocolFailed; the loop lives on. Twisted: IProtocol,
// IHalfCloseableProtocol.
class Protocol {
 public:
  virtual ~Protocol() = default;

  // Once, first. `transport` is good until connectionLost() returns.
  virtual void connectionMade(Transport& transport) = 0;

  // `bytes` are valid during the call only, and never empty.
  virtual void dataReceived(Bytes bytes) = 0;

  // Whether this protocol wants the two calls below. One that does not is disconnected when
  // its peer ends the sending side.
  virtual bool isHalfCloseable() const noexcept { return false; }

  // The peer will send no more; we may still. Close with loseConnection() in your own time.
  virtual void readConnectionLost() {}

  // Our own loseWriteConnection() was carried out.
  virtual void writeConnectionLost() {}

  // Another protocol has taken this one's place, which hears nothing more of the transport.
  virtual void replaced() noexcept {}

  // Once, last. Falsy: both sides finished cleanly. The protocol is destroyed afterwards.
  virtual void connectionLost(std::error_code why) = 0;
};

// Makes the protocol of each new connection; a null one refuses the connection.
using ProtocolFactory = UniqueFunction<std::unique_ptr<Protocol>()>;

// A listening socket. The reactor owns it; a reference is good until stopListening() or the end
// of the reactor. Twisted: IListeningPort.
class Listener {
 public:
  // Accepts no more and closes. Connections already made live on.
  virtual void stopListening() = 0;
  virtual int descriptor() const noexcept = 0;

 protected:
  ~Listener() = default;
};

// A connection being attempted. Good until its handler was called or cancel() returned.
class PendingConnect {
 public:
  // Gives up and closes the socket. The handler is not called any more.
  virtual void cancel() = 0;

 protected:
  ~PendingConnect() = default;
};

// Called once for a connect: falsy and the connected descriptor, or why not.
using ConnectHandler = UniqueFunction<void(std::error_code why, OwnedFd fd)>;

}  // namespace penstock
