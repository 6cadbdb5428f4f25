#include <penstock/runtime/core/connection.h>
#include <penstock/runtime/core/listener_base.h>
#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/socket_calls.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace penstock {

// A drain that is under way.
struct ListenerBase::Drain {
  Drain(ReactorBase& reactor, Callback fired, Callback callback)
      : timer(reactor, std::move(fired)), done(std::move(callback)) {}

  Timer timer;  // The limit; at once when the last connection is over.
  Callback done;
  TimePoint deadline;
};

ListenerBase::ListenerBase(ReactorBase& reactor, OwnedFd fd, ProtocolFactory factory,
                           Callback atEnd)
    : reactor_(reactor),
      fd_(std::move(fd)),
      factory_(std::move(factory)),
      atEnd_(std::move(atEnd)),
      backoff_(reactor,
               [this] {
                 backingOff_ = false;
                 update();
               }),
      group_(nullptr) {
  if (!factory_) throw std::invalid_argument("a listener needs a protocol factory");
  group_ = new ConnectionGroup(
      *this, SocketAddress::filledBy([this](sockaddr* address, socklen_t* length) {
        return socketCalls().getsockname(fd_.get(), address, length);
      }));
}

ListenerBase::~ListenerBase() {
  if (group_) group_->listenerGone();
}

void ListenerBase::begin() {
  reactor_.adopt(*this);
  update();
}

// --- When to accept ------------------------------------------------------------------------------

bool ListenerBase::mayAccept() const noexcept {
  return fd_ && !drain_ && !paused_ && !backingOff_ && !over_ && room() > 0;
}

std::size_t ListenerBase::room() const noexcept {
  const std::size_t there = connections();
  return there < mostConnections_ ? mostConnections_ - there : 0;
}

void ListenerBase::update() {
  const bool accepts = mayAccept();
  if (accepts == accepting_) return;
  accepting_ = accepts;
  if (accepts) return startAccepting();
  collecting_ = true;
  stopAccepting();
  collecting_ = false;
  deliverTaken();
}

void ListenerBase::pause() {
  paused_ = true;
  update();
}

void ListenerBase::resume() {
  paused_ = false;
  update();
}

// Of accepts that are in flight, more than the limit allows are ended with the others.
void ListenerBase::setMostConnections(std::size_t most) {
  mostConnections_ = most;
  if (acceptsInFlight() > room()) {
    mostConnections_ = 0;
    update();
    mostConnections_ = most;
  }
  update();
}

void ListenerBase::connectionOver() {
  if (drain_ && connections() == 0) return drain_->timer.arm(Duration::zero());
  update();
}

// --- What was accepted ---------------------------------------------------------------------------

void ListenerBase::accepted(OwnedFd fd, const SocketAddress& peer) noexcept {
  ++reactor_.counters().accepted;
  fd = backoff_.admit(std::move(fd));
  if (!fd) {
    ++reactor_.counters().acceptsShed;
    return backOff();
  }
  if (collecting_ || delivering_) return keepForLater({std::move(fd), peer});
  delivering_ = true;
  deliver({std::move(fd), peer});
  delivering_ = false;
  deliverTaken();
}

// At most what was in flight when accepting stopped.
void ListenerBase::keepForLater(Accepted accepted) noexcept {
  try {
    taken_.push_back(std::move(accepted));
  } catch (...) {
    reactor_.logException("accepting a connection", nullptr, this);
  }
}

// A hook or factory may stop or pause this listener, by which more comes: that is delivered when
// they have returned, not inside.
void ListenerBase::deliverTaken() noexcept {
  if (std::exchange(delivering_, true)) return;
  while (!taken_.empty()) {
    Accepted next = std::move(taken_.front());
    taken_.erase(taken_.begin());
    deliver(std::move(next));
  }
  delivering_ = false;
  update();
}

void ListenerBase::deliver(Accepted accepted) noexcept {
  const ReactorBase::CallOut callOut(reactor_);
  try {
    OwnedFd fd = std::move(accepted.fd);
    if (hook_) fd = hook_(std::move(fd), accepted.peer);
    if (!fd) return;
    if (auto protocol = factory_(accepted.peer)) {
      Transport& made = openStream(std::move(fd), std::move(protocol), accepted.peer, *group_);
      if (drain_) made.loseConnection();
    }
  } catch (...) {
    reactor_.logException("accepting a connection", nullptr, this);
  }
}

// --- Trouble -------------------------------------------------------------------------------------

void ListenerBase::acceptFailed(long error, bool othersInFlight) {
  if (!mayAccept()) return;  // More of what is known already.
  switch (backoff_.failed(error, othersInFlight)) {
    case AcceptBackoff::Advice::kGoOn:
      return;
    case AcceptBackoff::Advice::kPause:
      return backOff();
    case AcceptBackoff::Advice::kGiveUp:
      return fail(error);
  }
}

void ListenerBase::nothingToAccept() {
  if (!backoff_.recovered()) backOff();
}

void ListenerBase::backOff() {
  backingOff_ = true;
  update();
}

// Its owner may still ask it things, and stop it.
void ListenerBase::fail(long error) {
  over_ = true;
  update();
  fd_ = letGo(std::move(fd_));  // What is broken is always ready.
  end();
  reactor_.log({LogLevel::kError, "penstock: a listener has stopped: " + errorOf(error).message(),
                nullptr, this});
  tellLost(errorOf(error));
}

void ListenerBase::tellLost(std::error_code why) noexcept {
  if (!lost_) return;
  try {
    std::exchange(lost_, nullptr)(why);
  } catch (...) {
    reactor_.logException("a listener's handler", nullptr, this);
  }
}

// --- The end -------------------------------------------------------------------------------------

ListenerHandle ListenerBase::handle() {
  if (!fd_ && !drain_) return {};  // It is over: nothing would empty the handle.
  return reactor_.handles().make<Listener>(static_cast<ReactorObject*>(this), *this);
}

void ListenerBase::stopListening() {
  if (!fd_ || drain_) return;
  close();
  reactor_.retire(*this);
}

void ListenerBase::close() {
  over_ = true;
  update();
  end();
  fd_ = letGo(std::move(fd_));
  fd_.reset();
}

void ListenerBase::end() noexcept {
  if (atEnd_) {
    Callback atEnd = std::exchange(atEnd_, nullptr);
    reactor_.runCallback(atEnd);
  }
}

void ListenerBase::drain(Duration limit, Callback done) {
  if (!done) throw std::invalid_argument("Listener::drain: who is to be told when it is done?");
  if (!fd_ || drain_) throw std::logic_error("Listener::drain: it has stopped listening");
  auto drain = std::make_unique<Drain>(
      reactor_, [this] { drainTimer(); }, std::move(done));
  drain->deadline = reactor_.deadlineAfter(limit);
  drain_ = std::move(drain);  // First: what closing calls back can not stop it as well.
  close();
  forEachConnection([](Connection& connection) { connection.loseConnection(); });
  if (drain_) drain_->timer.arm(connections() == 0 ? Duration::zero() : limit);
}

void ListenerBase::drainTimer() {
  if (connections() == 0) return drained();
  const Duration left = drain_->deadline - reactor_.now();
  if (left > Duration::zero()) return drain_->timer.arm(left);
  forEachConnection([](Connection& connection) { connection.abortConnection(); });
}

void ListenerBase::drained() noexcept {
  reactor_.retire(*this);
  const std::unique_ptr<Drain> drain = std::move(drain_);  // What ends later does not end it again.
  reactor_.runCallback(drain->done);
}

// What was accepted and not delivered would be disconnected like the rest.
void ListenerBase::disconnectFromReactor() noexcept {
  if (drain_) return drained();
  delivering_ = true;
  stopListening();
  taken_.clear();
  tellLost(ConnectionError::kLost);
}

template <class Visit>
void ListenerBase::forEachConnection(Visit visit) {
  reactor_.forEachObject([&](ReactorObject& object) {
    Connection* connection = object.connectionOf(*group_);
    if (!connection) return;
    try {
      visit(*connection);
    } catch (...) {
      reactor_.logException("draining a listener", nullptr, this);
    }
  });
}

}  // namespace penstock
