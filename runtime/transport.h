// What a connection offers (Transport), what it asks for (Protocol), and how connections begin.
#pragma once

#include <penstock/runtime/handle.h>
#include <penstock/runtime/listener.h>
#include <penstock/runtime/parts/unique_function.h>
#include <penstock/runtime/producer.h>
#include <penstock/runtime/socket_address.h>

#include <cstddef>
#include <memory>
#include <system_error>

namespace penstock {

class OwnedFd;
class Protocol;
class Connection;
class Reactor;

// One connection: a Consumer of what we send and a streaming Producer of what we receive.
// The reactor owns it; a reference is good from connectionMade() until connectionLost() returns.
// Loop thread only. Twisted: ITransport, ITCPTransport, IHalfCloseableDescriptor.
class Transport : public Consumer, public Producer {
 public:
  // The default for setHighWaterMark, in bytes. Twisted: FileDescriptor.bufferSize.
  static constexpr std::size_t kHighWaterMark = 65536;

  // Closes once all is written and the registered producer has finished (see
  // Producer::hasFinished()); what is written until then is still sent. Reading stops now.
  // The protocol hears connectionLost({}) later; only if this side had already half-closed does
  // it come from inside this call.
  virtual void loseConnection() = 0;

  // Half-closes (shutdown(SHUT_WR)) once all is written and the registered producer has finished;
  // reading goes on. A half-closeable protocol hears writeConnectionLost(). Writes until then are
  // still sent, later ones ignored.
  virtual void loseWriteConnection() = 0;

  // Drops what is queued and resets the connection; a UNIX socket has no reset, its peer sees the
  // end. The protocol hears connectionLost(ConnectionError::kAborted) in the next turn, never from
  // inside this call, and nothing else before it.
  virtual void abortConnection() = 0;

  // unregisterProducer() and loseConnection() in one.
  virtual void stopConsuming() = 0;

  // As a producer, which the consumer that it is registered with calls: pauseProducing() stops
  // delivering what is received, and no dataReceived() comes until resumeProducing();
  // stopProducing() is loseConnection(). It has finished once it reads no more for good.

  // The same for the application itself, which no consumer undoes: bytes and the end of input are
  // delivered only while both allow it. A reset is told all the same.
  virtual void pauseReading() = 0;
  virtual void resumeReading() = 0;

  // The default for setDeliveryLimit, in bytes.
  static constexpr std::size_t kDeliveryLimit = 65536;

  // One dataReceived() brings at most `bytes`, 1 or more. What one receive brought beyond it comes
  // in further calls, and waits in memory while reading is paused between them: at most one
  // receive, which is bounded by the loop. Throws std::invalid_argument for 0.
  virtual void setDeliveryLimit(std::size_t bytes) = 0;

  // Inside dataReceived(): a Buffer of `bytes`, which are part of what is being delivered. Large
  // ones are kept where they lie, without a copy, as long as not too much is kept so; else it is a
  // copy. Good on any thread, also after the reactor.
  virtual Buffer keep(Bytes bytes) = 0;

  // Full is strictly more than `bytes` waiting: then a streaming producer is paused.
  virtual void setHighWaterMark(std::size_t bytes) = 0;

  // A paused producer is resumed when no more than `bytes` wait. The default 0 is Twisted's rule:
  // resume when all has been handed to the kernel. Must be below the high-water mark.
  virtual void setLowWaterMark(std::size_t bytes) = 0;

  // More than `bytes` waiting to be sent, and the connection is lost with
  // ConnectionError::kBufferLimit in the next turn: nothing more is accepted or sent, and the peer
  // sees a reset. For writers that no back-pressure reaches. At most 4294967295, which is the
  // default and means no limit. ReactorOptions::bufferLimit is that of a whole loop.
  virtual void setBufferLimit(std::size_t bytes) = 0;

  // The state, by Twisted's names.
  virtual bool connected() const noexcept = 0;           // Between made and lost.
  virtual bool disconnecting() const noexcept = 0;       // loseConnection() was called.
  virtual bool disconnected() const noexcept = 0;        // Over.
  virtual bool writeDisconnecting() const noexcept = 0;  // loseWriteConnection() was called.
  virtual bool writeDisconnected() const noexcept = 0;   // The half-close was carried out.
  virtual bool inputEnded() const noexcept = 0;          // The peer sends nothing more.
  virtual Producer* producer() const noexcept = 0;       // Null when none is registered.
  virtual bool producerPaused() const noexcept = 0;
  virtual bool streamingProducer() const noexcept = 0;

  // Bytes accepted by write() and not yet taken by the kernel.
  virtual std::size_t bufferedBytes() const noexcept = 0;

  // For socket options; -1 where there is none. Never close it.
  virtual int descriptor() const noexcept = 0;

  // What getPeer() and getHost() (transports/address.h) read; empty where there is none.
  virtual SocketAddress peerAddress() const noexcept { return {}; }
  virtual SocketAddress hostAddress() const noexcept { return {}; }

  virtual Reactor& reactor() const noexcept = 0;

  // This, if its bytes may be moved on its descriptor by others: how a relay splices. Else null.
  virtual Connection* spliceable() noexcept { return nullptr; }

  // A name for this connection that may be kept when it is over; see runtime/handle.h. Empty once
  // it is: in connectionLost(), use one from before.
  virtual TransportHandle handle() = 0;

  // Puts `next` in the place of the protocol and gives that back, which hears replaced() and
  // nothing more; `next` is not called. The one given back may be running: whoever gets it keeps it
  // until its call has returned. Throws std::invalid_argument when `next` is null.
  virtual std::unique_ptr<Protocol> replaceProtocol(std::unique_ptr<Protocol> next) = 0;

 protected:
  ~Transport() = default;
};

// The user's side of a connection. The transport owns it. All calls come on the loop's thread,
// none from inside write(). An exception from any of them is logged and loses this connection
// with ConnectionError::kProtocolFailed; the loop lives on. Twisted: IProtocol,
// IHalfCloseableProtocol.
class Protocol {
 public:
  Protocol() noexcept = default;
  Protocol(const Protocol&) = delete;
  Protocol& operator=(const Protocol&) = delete;
  virtual ~Protocol() = default;

  // The connection this is the protocol of: from connectionMade() until connectionLost() returns,
  // or another protocol takes its place. Not before, and not afterwards.
  Transport& transport() const noexcept { return *transport_; }

  // Once, first. `transport` is what transport() gives from now on.
  virtual void connectionMade([[maybe_unused]] Transport& transport) {}

  // `bytes` are valid during the call only, and never empty. At most the delivery limit.
  virtual void dataReceived([[maybe_unused]] Bytes bytes) {}

  // All that was written has been handed to the kernel, after some of it had to wait for its turn:
  // each time the queue has run empty and no producer was asked for more.
  virtual void flushed() {}

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
  virtual void connectionLost([[maybe_unused]] std::error_code why) {}

  // For transports, and for protocols that wrap others: sets transport(), and tells that the
  // connection was made. Twisted: IProtocol.makeConnection.
  void makeConnection(Transport& transport) {
    attachTo(transport);
    connectionMade(transport);
  }
  void attachTo(Transport& transport) noexcept { transport_ = &transport; }

 private:
  Transport* transport_ = nullptr;
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
