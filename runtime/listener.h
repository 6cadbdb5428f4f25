// Listener: a listening socket, and what its owner may ask of it.
#pragma once

#include <penstock/runtime/handle.h>
#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/parts/unique_function.h>
#include <penstock/runtime/socket_address.h>
#include <penstock/runtime/time.h>

#include <cstddef>
#include <limits>
#include <system_error>

namespace penstock {

// Is given each descriptor that was accepted, before anything is made of it, and returns it to have
// the connection made here. One that it keeps is the caller's: to hand it to another loop, say,
// whose openStream() or adoptStream() takes it, or to refuse it by closing it.
using AcceptHook = UniqueFunction<OwnedFd(OwnedFd fd, const SocketAddress& peer)>;

// Told why a listening socket accepts no more, though nobody asked it to stop.
using ListenerLostHandler = UniqueFunction<void(std::error_code why)>;

// The reactor owns it; a reference is good until the end of the turn in which stopListening() was
// called, until drain() has called back, or until the end of the reactor. What connects is accepted
// in turns of the loop, so that all of this may be set right after the listener was made. Loop
// thread only. Twisted: IListeningPort.
class Listener {
 public:
  static constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

  // Accepts no more and closes; connections already made live on. What the kernel had accepted for
  // us by then is not dropped: its connections are made before this returns, or, if it is called
  // from inside the factory, as soon as that has returned; later none is. What waits in the
  // kernel's queue is left to whoever shares the socket, and if nobody does, it is reset.
  // A second call in the same turn does nothing.
  virtual void stopListening() = 0;

  // Accepts nothing until resume(): what connects waits in the kernel's queue. What the kernel had
  // accepted by then is made as in stopListening(). Neither counts: one resume() ends all pauses.
  virtual void pause() = 0;
  virtual void resume() = 0;

  // Accepts only while fewer than `most` of the connections that it has made live; kNoLimit at
  // first. A lower limit than there are connections ends none of them.
  virtual void setMostConnections(std::size_t most) = 0;

  // How many connections that it has made live.
  virtual std::size_t connections() const noexcept = 0;

  // A graceful end: stops listening, asks each connection that it has made to end
  // (loseConnection()), resets what is left after `limit`, and calls `done` when none is left;
  // never from inside this call. If the reactor disconnects everything first, `done` is called
  // then. Throws std::invalid_argument for an empty `done` or a negative limit, std::logic_error
  // once it has been stopped.
  virtual void drain(Duration limit, UniqueFunction<void()> done) = 0;

  // Who is given what is accepted first; an empty hook, as at first, is nobody. An exception from
  // it is logged, and the connection refused.
  virtual void onAccepted(AcceptHook hook) = 0;

  // Who is told, once, when the listening ends by itself: because the socket is broken (errno), or
  // because the reactor has disconnected everything (ConnectionError::kLost), after which the
  // reference is good until the handler has returned. Not told of stopListening() and drain().
  virtual void onLost(ListenerLostHandler handler) = 0;

  // A name for this listener that may be kept when it has ended; see runtime/handle.h.
  virtual ListenerHandle handle() = 0;

  // For getHost() and socket options; -1 once it was stopped. Never close it.
  virtual int descriptor() const noexcept = 0;

 protected:
  ~Listener() = default;
};

}  // namespace penstock
