// peer-libuv: the peer libuv.
//
// As its guide has it: read callbacks into a buffer of the loop, uv_try_write first, and a write
// request only for what the kernel did not take, while reading stands still.
#include "peer.h"

#include <uv.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

namespace peer {
namespace {

struct Server {
  Options options;
  Pattern pattern;
  uv_loop_t* loop = uv_default_loop();
  std::unique_ptr<char[]> buffer = std::make_unique_for_overwrite<char[]>(kReceive);
};

Server server;

// One socket, with what is to be done when it was read from, drained or lost. It lives until
// libuv has closed its handles.
class Connection {
 public:
  Connection() {
    uv_tcp_init(server.loop, &tcp_);
    tcp_.data = this;
    write_.data = this;
    shutdown_.data = this;
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  virtual ~Connection() = default;

  uv_stream_t* stream() { return reinterpret_cast<uv_stream_t*>(&tcp_); }
  uv_tcp_t* tcp() { return &tcp_; }

  virtual void start() { startReading(); }

  void startReading() {
    uv_read_start(stream(), allocate, [](uv_stream_t* stream, ssize_t count, const uv_buf_t* data) {
      auto& self = *static_cast<Connection*>(stream->data);
      if (count > 0) return self.received(data->base, static_cast<std::size_t>(count));
      if (count == UV_EOF) return self.ended();
      if (count < 0) self.close();
    });
  }
  void stopReading() { uv_read_stop(stream()); }

  // Sends all of it; drained() comes later if that is not done at once, which false says.
  bool send(const char* data, std::size_t size) {
    uv_buf_t whole = uv_buf_init(const_cast<char*>(data), static_cast<unsigned>(size));
    const int taken = uv_try_write(stream(), &whole, 1);
    if (taken == static_cast<int>(size)) return true;
    if (taken < 0 && taken != UV_EAGAIN) {
      close();
      return false;
    }
    rest_.assign(data + std::max(taken, 0), size - static_cast<std::size_t>(std::max(taken, 0)));
    write(rest_.data(), rest_.size());
    return false;
  }

  // Sends memory that stays; drained() follows.
  void write(const char* data, std::size_t size) {
    const uv_buf_t all = uv_buf_init(const_cast<char*>(data), static_cast<unsigned>(size));
    writing_ = true;
    uv_write(&write_, stream(), &all, 1, [](uv_write_t* write, int status) {
      auto& self = *static_cast<Connection*>(write->data);
      self.writing_ = false;
      if (status == 0) return self.drained();
      self.close();
    });
  }

  // After what is being written.
  void endSending() {
    uv_shutdown(&shutdown_, stream(), [](uv_shutdown_t* shutdown, int status) {
      auto& self = *static_cast<Connection*>(shutdown->data);
      if (status == 0) self.sendingEnded();
    });
  }

  virtual void close() {
    if (uv_is_closing(handle())) return;
    uv_close(handle(),
             [](uv_handle_t* handle) { static_cast<Connection*>(handle->data)->closed(); });
  }

  bool writing() const { return writing_; }

 protected:
  virtual void received(const char* data, std::size_t size) = 0;
  virtual void drained() {}
  virtual void ended() { close(); }
  virtual void sendingEnded() {}
  virtual void closed() { delete this; }

 private:
  static void allocate(uv_handle_t*, std::size_t, uv_buf_t* into) {
    *into = uv_buf_init(server.buffer.get(), kReceive);
  }
  uv_handle_t* handle() { return reinterpret_cast<uv_handle_t*>(&tcp_); }

  uv_tcp_t tcp_;
  uv_write_t write_;
  uv_shutdown_t shutdown_;
  std::string rest_;
  bool writing_ = false;
};

// The workloads echo and compute.
class Echo : public Connection {
 protected:
  void received(const char* data, std::size_t size) override {
    work_.received(size, server.options);
    if (!send(data, size)) stopReading();
  }
  void drained() override { startReading(); }

 private:
  Work work_;
};

class TimedEcho final : public Echo {
 public:
  TimedEcho() {
    uv_timer_init(server.loop, &timer_);
    timer_.data = this;
  }

  void start() override {
    Echo::start();
    arm();
  }

 private:
  static constexpr auto kPatienceMs =
      static_cast<std::uint64_t>(std::chrono::milliseconds(kPatience).count());

  void received(const char* data, std::size_t size) override {
    uv_timer_stop(&timer_);
    Echo::received(data, size);
    arm();
  }
  void arm() {
    uv_timer_start(
        &timer_, [](uv_timer_t* timer) { static_cast<TimedEcho*>(timer->data)->close(); },
        kPatienceMs, 0);
  }
  void closed() override {
    uv_close(reinterpret_cast<uv_handle_t*>(&timer_),
             [](uv_handle_t* timer) { delete static_cast<TimedEcho*>(timer->data); });
  }

  uv_timer_t timer_;
};

class Sink final : public Connection {
  void received(const char*, std::size_t) override {}
};

class Source final : public Connection {
 public:
  void start() override {
    startReading();
    drained();
  }

 private:
  void received(const char*, std::size_t) override {}
  void drained() override {
    write(server.pattern.at(sent_), server.pattern.chunk());
    sent_ += server.pattern.chunk();
  }

  std::uint64_t sent_ = 0;
};

// One end of a relay. The two live until both are closed.
class RelayEnd final : public Connection {
 public:
  void start() override {
    other_ = new RelayEnd;
    other_->other_ = this;
    uv_tcp_nodelay(other_->tcp(), 1);
    connect_.data = this;
    const auto* to = reinterpret_cast<const sockaddr*>(&server.options.to);
    uv_tcp_connect(&connect_, other_->tcp(), to, [](uv_connect_t* connect, int status) {
      auto& self = *static_cast<RelayEnd*>(connect->data);
      if (status < 0) return self.close();
      self.startReading();
      self.other_->startReading();
    });
  }

  void close() override {
    Connection::close();
    other_->Connection::close();
  }

 private:
  void received(const char* data, std::size_t size) override {
    if (!other_->send(data, size)) stopReading();
  }
  void drained() override {
    if (!other_->inputEnded_) other_->startReading();
  }
  void ended() override {
    inputEnded_ = true;
    stopReading();
    other_->endSending();
  }
  void sendingEnded() override {
    outputEnded_ = true;
    if (other_->outputEnded_) close();
  }
  void closed() override {
    closed_ = true;
    if (!other_->closed_) return;
    delete other_;
    delete this;
  }

  RelayEnd* other_ = nullptr;
  uv_connect_t connect_;
  bool inputEnded_ = false;
  bool outputEnded_ = false;
  bool closed_ = false;
};

Connection* makeConnection() {
  switch (server.options.workload) {
    case Workload::kEcho:
    case Workload::kCompute:
      return new Echo;
    case Workload::kTimers:
      return new TimedEcho;
    case Workload::kSink:
      return new Sink;
    case Workload::kSource:
      return new Source;
    case Workload::kRelay:
      return new RelayEnd;
  }
  return nullptr;
}

void accept(uv_stream_t* listener, int status) {
  if (status < 0) return;
  Connection* connection = makeConnection();
  uv_accept(listener, connection->stream());
  uv_tcp_nodelay(connection->tcp(), 1);
  connection->start();
}

}  // namespace
}  // namespace peer

int main(int argc, char** argv) {
  using namespace peer;
  server.options = optionsOf(argc, argv);
  uv_tcp_t listener;
  uv_tcp_init(server.loop, &listener);
  const sockaddr_in address = loopback(server.options.port);
  uv_tcp_bind(&listener, reinterpret_cast<const sockaddr*>(&address), 0);
  if (const int error = uv_listen(reinterpret_cast<uv_stream_t*>(&listener), SOMAXCONN, accept)) {
    refusePort(server.options.port, uv_strerror(error));  // Of the bind, too.
  }
  uv_os_fd_t fd;
  uv_fileno(reinterpret_cast<uv_handle_t*>(&listener), &fd);
  announce(portOf(fd), "libuv", uv_version_string());
  return uv_run(server.loop, UV_RUN_DEFAULT);
}
