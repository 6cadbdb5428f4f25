#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/core/reactor_object.h>
#include <penstock/runtime/core/unix_connects.h>
#include <penstock/runtime/errors.h>
#include <penstock/runtime/parts/intrusive_list.h>
#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/runtime/system/socket_calls.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <new>
#include <utility>

namespace penstock {

struct InConnectQueue;

class UnixConnects::Attempt final : public PendingConnect,
                                    public ReactorObject,
                                    public ListNode<InConnectQueue> {
 public:
  Attempt(ReactorBase& reactor, OwnedFd fd, const sockaddr* to, socklen_t length,
          ConnectHandler handler)
      : reactor_(reactor),
        fd_(std::move(fd)),
        to_(reinterpret_cast<const char*>(to), length),
        handler_(std::move(handler)),
        soon_(reactor, [this] { finish(errorOf(result_)); }) {
    reactor.adopt(*this);
  }

  const std::string& to() const noexcept { return to_; }

  // True: it is decided, by a connection or an error. False: the backlog is full.
  bool tryNow() noexcept {
    do {
      const auto* to = reinterpret_cast<const sockaddr*>(to_.data());
      result_ = socketCalls().connect(fd_.get(), to, static_cast<socklen_t>(to_.size()));
    } while (result_ == -EINTR);
    return result_ != -EAGAIN;
  }

  // On io_uring sockets are blocking: not while they connect.
  bool setBlocking(bool blocking) noexcept {
    if (reactor_.socketFlags() & SOCK_NONBLOCK) return true;
    const int result = descriptorCalls().setNonBlocking(fd_.get(), !blocking);
    if (result < 0) result_ = result;
    return result == 0;
  }

  void tellSoon() { soon_.arm(Duration::zero()); }
  void failSoon(int error) {
    result_ = error;
    tellSoon();
  }
  void tell() noexcept { finish(errorOf(result_)); }

  void cancel() override {
    if (!handler_) return;
    handler_ = nullptr;
    fd_.reset();
    leave();
  }

  void disconnectFromReactor() noexcept override { finish(ConnectionError::kLost); }
  bool inUseByKernel() const noexcept override { return false; }

 private:
  void finish(std::error_code why) noexcept {
    if (!why && !setBlocking(true)) why = errorOf(result_);
    ConnectHandler handler = std::move(handler_);
    OwnedFd fd = why ? OwnedFd() : std::move(fd_);
    fd_.reset();
    leave();
    try {
      handler(why, std::move(fd));
    } catch (...) {
      reactor_.logException("a connect handler");
    }
  }

  void leave() noexcept {
    soon_.cancel();
    ListNode<InConnectQueue>::unlink();
    reactor_.retire(*this);
  }

  ReactorBase& reactor_;
  OwnedFd fd_;
  const std::string to_;
  ConnectHandler handler_;  // Empty once it was called.
  int result_ = 0;
  Timer soon_;
};

// Those who wait for one address.
class UnixConnects::Queue {
 public:
  bool empty() const noexcept { return waiting_.empty(); }
  void add(Attempt& attempt) noexcept { waiting_.pushBack(attempt); }

  // Lets in who can be, but not what that opens: it waits its turn. True: somebody left.
  bool admit() noexcept {
    IntrusiveList<Attempt, InConnectQueue> round;
    round.append(waiting_);
    bool any = false;
    while (!round.empty() && round.front().tryNow()) {
      round.front().tell();
      any = true;
    }
    round.append(waiting_);
    waiting_.append(round);
    return any;
  }

 private:
  IntrusiveList<Attempt, InConnectQueue> waiting_;
};

UnixConnects::UnixConnects(ReactorBase& reactor)
    : reactor_(reactor), retry_(reactor, [this] { retry(); }) {}

UnixConnects::~UnixConnects() = default;

PendingConnect& UnixConnects::open(OwnedFd fd, const sockaddr* to, socklen_t length,
                                   ConnectHandler handler) {
  auto* attempt = new Attempt(reactor_, std::move(fd), to, length, std::move(handler));
  const auto queue = queues_.find(attempt->to());
  const bool othersWait = queue != queues_.end() && !queue->second->empty();
  if (attempt->setBlocking(false) && (othersWait || !attempt->tryNow())) {
    wait(*attempt);
  } else {
    attempt->tellSoon();
  }
  return *attempt;
}

void UnixConnects::wait(Attempt& attempt) noexcept {
  try {
    auto& queue = queues_[attempt.to()];
    if (!queue) queue = std::make_unique<Queue>();
    queue->add(attempt);
    if (!retry_.active()) retry_.arm(pause_ = kShortestPause);
  } catch (const std::bad_alloc&) {
    attempt.failSoon(-ENOMEM);
  }
}

void UnixConnects::retry() {
  bool any = false;
  for (auto each = queues_.begin(); each != queues_.end();) {
    any = each->second->admit() || any;
    each = each->second->empty() ? queues_.erase(each) : std::next(each);
  }
  if (queues_.empty()) return;
  pause_ = any ? kShortestPause : std::min(pause_ * 2, kLongestPause);
  retry_.arm(pause_);
}

}  // namespace penstock
