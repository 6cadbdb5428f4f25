// ListenerBase: what the listeners of both families share, which is all but accepting itself.
#pragma once

#include <penstock/runtime/core/accept_backoff.h>
#include <penstock/runtime/core/connection_group.h>
#include <penstock/runtime/core/reactor_object.h>
#include <penstock/runtime/listener.h>
#include <penstock/runtime/protocol_factory.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace penstock {

class ReactorBase;
class Transport;

// Decides when to accept and what becomes of what was: hands it to hook and factory one by one,
// never one inside another, keeps count of the connections, pauses, survives errors, drains.
// Twisted: tcp.Port.
class ListenerBase : public Listener, public ReactorObject {
 public:
  void stopListening() final;
  void pause() final;
  void resume() final;
  void setMostConnections(std::size_t most) final;
  std::size_t connections() const noexcept final { return group_->size(); }
  void drain(Duration limit, Callback done) final;
  void onAccepted(AcceptHook hook) final { hook_ = std::move(hook); }
  void onLost(ListenerLostHandler handler) final { lost_ = std::move(handler); }
  ListenerHandle handle() final;
  int descriptor() const noexcept final { return fd_.get(); }

  void disconnectFromReactor() noexcept final;

  // One of its connections is over.
  void connectionOver();

 protected:
  // `atEnd` is called when the listening ends, before the descriptor is closed. Throws
  // std::invalid_argument for an empty factory.
  ListenerBase(ReactorBase& reactor, OwnedFd fd, ProtocolFactory factory, Callback atEnd);
  ~ListenerBase() override;

  // The reactor owns it from here on; it accepts in turns to come.
  void begin();

  // --- What a family does ------------------------------------------------------------------------

  // Accepts, while mayAccept(), and tells by accepted() and acceptFailed().
  virtual void startAccepting() = 0;

  // Accepts nothing more. What has been accepted already is told before this returns.
  virtual void stopAccepting() = 0;

  // How many connections may still come, unless accepting is stopped.
  virtual std::size_t acceptsInFlight() const noexcept { return 0; }

  // Lets go of what the loop knows of `fd`, and gives it back.
  virtual OwnedFd letGo(OwnedFd fd) noexcept { return fd; }

  // Makes a connection of what was accepted.
  virtual Transport& openStream(OwnedFd fd, std::unique_ptr<Protocol> protocol,
                                const SocketAddress& peer, ConnectionGroup& group) = 0;

  // --- What a family tells -----------------------------------------------------------------------

  void accepted(OwnedFd fd, const SocketAddress& peer) noexcept;
  void acceptFailed(long error, bool othersInFlight = false);
  void nothingToAccept();  // None waits.

  bool mayAccept() const noexcept;
  std::size_t room() const noexcept;  // How many more there may be.
  bool handsOver() const noexcept { return static_cast<bool>(hook_); }

 private:
  struct Accepted {
    OwnedFd fd;
    SocketAddress peer;
  };
  struct Drain;

  void update();
  void deliverTaken() noexcept;
  void deliver(Accepted accepted) noexcept;
  void keepForLater(Accepted accepted) noexcept;
  void backOff();
  void fail(long error);
  void tellLost(std::error_code why) noexcept;
  void close();
  void end() noexcept;
  template <class Visit>
  void forEachConnection(Visit visit);
  void drainTimer();
  void drained() noexcept;

  ReactorBase& reactor_;
  OwnedFd fd_;
  ProtocolFactory factory_;
  Callback atEnd_;
  AcceptHook hook_;
  ListenerLostHandler lost_;
  AcceptBackoff backoff_;
  ConnectionGroup* group_;
  std::size_t mostConnections_ = kNoLimit;
  std::vector<Accepted> taken_;  // While neither hook nor factory may be called.
  std::unique_ptr<Drain> drain_;
  bool accepting_ = false;
  bool paused_ = false;      // By its owner.
  bool backingOff_ = false;  // Until the backoff calls back.
  bool over_ = false;        // It accepts nothing any more, for good.
  bool collecting_ = false;  // What is accepted now is delivered later.
  bool delivering_ = false;  // Hook or factory are being called.
};

}  // namespace penstock
