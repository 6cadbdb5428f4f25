// peer-libevent: the peer libevent, with bufferevents, as its book advises.
//
// An echo moves the input buffer into the output buffer, which copies nothing; a connection whose
// output grows is not read from until it has drained, as in the book's proxy (le-proxy.c).
#include "peer.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include <sys/time.h>

#include <memory>
#include <utility>

namespace peer {
namespace {

constexpr std::size_t kMostOutput = 512 << 10;  // le-proxy.c: MAX_OUTPUT.

struct Server {
  Options options;
  Pattern pattern;
  event_base* base = event_base_new();
  const timeval* patience = nullptr;
};

Server server;

// One bufferevent. `to` is where what it receives goes: itself, or the other end of a relay.
class Connection {
 public:
  explicit Connection(evutil_socket_t fd)
      : event_(bufferevent_socket_new(server.base, fd, BEV_OPT_CLOSE_ON_FREE)) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() { bufferevent_free(event_); }

  void start() {
    bufferevent_setcb(
        event_, [](bufferevent*, void* self) { static_cast<Connection*>(self)->readable(); },
        [](bufferevent*, void* self) { static_cast<Connection*>(self)->drained(); },
        [](bufferevent*, short what, void* self) { static_cast<Connection*>(self)->event(what); },
        this);
    bufferevent_enable(event_, EV_READ | EV_WRITE);
    started();
  }

 protected:
  virtual void started() {}
  virtual void readable() = 0;
  virtual void drained() {}
  virtual void ended() { delete this; }
  virtual void broken() { delete this; }

  void event(short what) {
    if (what & BEV_EVENT_EOF) return ended();
    if (what & BEV_EVENT_ERROR) return broken();
    if (what & BEV_EVENT_CONNECTED) return connected();
  }
  virtual void connected() {}

  evbuffer* input() { return bufferevent_get_input(event_); }
  evbuffer* output() { return bufferevent_get_output(event_); }

  // Moves what was received into `to`; reading waits while that has too much. True: it waits.
  bool forward(Connection& to) {
    evbuffer_add_buffer(to.output(), input());
    if (evbuffer_get_length(to.output()) < kMostOutput) return false;
    bufferevent_setwatermark(to.event_, EV_WRITE, kMostOutput / 2, 0);
    bufferevent_disable(event_, EV_READ);
    return true;
  }

  void readOn(Connection& to) {
    bufferevent_setwatermark(to.event_, EV_WRITE, 0, 0);
    bufferevent_enable(event_, EV_READ);
  }

  bufferevent* event_;
};

// The workloads echo, compute and timers.
class Echo final : public Connection {
 public:
  explicit Echo(evutil_socket_t fd) : Connection(fd) {
    if (server.options.workload != Workload::kTimers) return;
    timer_ = evtimer_new(
        server.base, [](evutil_socket_t, short, void* self) { delete static_cast<Echo*>(self); },
        this);
  }
  ~Echo() override {
    if (timer_) event_free(timer_);
  }

 private:
  void started() override { arm(); }
  void readable() override {
    if (timer_) evtimer_del(timer_);
    work_.received(evbuffer_get_length(input()), server.options);
    waits_ = forward(*this);
    arm();
  }
  void drained() override {
    if (evbuffer_get_length(output()) == 0 && ended_)
      delete this;
    else if (std::exchange(waits_, false))
      readOn(*this);
  }
  void ended() override {
    ended_ = true;
    if (evbuffer_get_length(output()) == 0) delete this;
  }

  void arm() {
    if (timer_) evtimer_add(timer_, server.patience);
  }

  struct event* timer_ = nullptr;
  Work work_;
  bool waits_ = false;
  bool ended_ = false;
};

class Sink final : public Connection {
  using Connection::Connection;
  friend void accept(evconnlistener*, evutil_socket_t, sockaddr*, int, void*);
  void readable() override { evbuffer_drain(input(), evbuffer_get_length(input())); }
};

class Source final : public Connection {
  using Connection::Connection;
  friend void accept(evconnlistener*, evutil_socket_t, sockaddr*, int, void*);
  void started() override { drained(); }
  void readable() override { evbuffer_drain(input(), evbuffer_get_length(input())); }
  void drained() override {
    const Pattern& pattern = server.pattern;
    evbuffer_add_reference(output(), pattern.at(sent_), pattern.chunk(), nullptr, nullptr);
    sent_ += pattern.chunk();
  }

  std::uint64_t sent_ = 0;
};

// One end of a relay. The two live and die together.
class RelayEnd final : public Connection {
 public:
  static void join(evutil_socket_t client) {
    auto* near = new RelayEnd(client);
    auto* far = new RelayEnd(-1);
    near->other_ = far;
    far->other_ = near;
    far->start();
    const auto* to = reinterpret_cast<const sockaddr*>(&server.options.to);
    if (bufferevent_socket_connect(far->event_, to, sizeof server.options.to) < 0) far->broken();
  }

 private:
  using Connection::Connection;

  void connected() override {
    setNoDelay(bufferevent_getfd(event_));
    other_->start();
  }
  void readable() override { waits_ = forward(*other_); }
  void drained() override {
    if (std::exchange(other_->waits_, false)) other_->readOn(*this);
    if (other_->inputEnded_ && evbuffer_get_length(output()) == 0) endSending();
  }
  void ended() override {
    inputEnded_ = true;
    if (evbuffer_get_length(other_->output()) == 0) other_->endSending();
  }
  void endSending() {
    if (std::exchange(outputEnded_, true)) return;
    ::shutdown(bufferevent_getfd(event_), SHUT_WR);
    if (other_->outputEnded_) broken();
  }
  void broken() override {
    delete other_;
    delete this;
  }

  RelayEnd* other_ = nullptr;
  bool waits_ = false;
  bool inputEnded_ = false;
  bool outputEnded_ = false;
};

void accept(evconnlistener*, evutil_socket_t fd, sockaddr*, int, void*) {
  setNoDelay(fd);
  switch (server.options.workload) {
    case Workload::kEcho:
    case Workload::kCompute:
    case Workload::kTimers:
      return (new Echo(fd))->start();
    case Workload::kSink:
      return (new Sink(fd))->start();
    case Workload::kSource:
      return (new Source(fd))->start();
    case Workload::kRelay:
      return RelayEnd::join(fd);
  }
}

}  // namespace
}  // namespace peer

int main(int argc, char** argv) {
  using namespace peer;
  server.options = optionsOf(argc, argv);
  const timeval patience{kPatience.count(), 0};
  server.patience = event_base_init_common_timeout(server.base, &patience);
  const sockaddr_in address = loopback(server.options.port);
  evconnlistener* listener = evconnlistener_new_bind(
      server.base, accept, nullptr, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, SOMAXCONN,
      reinterpret_cast<const sockaddr*>(&address), sizeof address);
  if (listener == nullptr) refusePort(server.options.port, std::strerror(errno));
  announce(portOf(evconnlistener_get_fd(listener)), "libevent", event_get_version());
  return event_base_dispatch(server.base);
}
