// peer-asio, peer-asio-uring: the peer Asio (standalone), one thread, callbacks.
//
// Written as its examples are: a session that owns itself through its handlers, reads some into
// its own buffer, writes all of it, reads again. Built twice: as it is (epoll), and with
// ASIO_HAS_IO_URING and ASIO_DISABLE_EPOLL (io_uring).
#include "peer.h"

#include <asio.hpp>

#include <memory>
#include <string>
#include <utility>

namespace peer {
namespace {

using asio::ip::tcp;

// The workloads echo, compute, timers and sink.
class Session final : public std::enable_shared_from_this<Session> {
 public:
  Session(tcp::socket socket, const Options& options)
      : socket_(std::move(socket)), timer_(socket_.get_executor()), options_(options) {}

  void start() {
    arm();
    read();
  }

 private:
  void read() {
    socket_.async_read_some(asio::buffer(data_.get(), kReceive),
                            [self = shared_from_this()](std::error_code error, std::size_t count) {
                              error ? self->end() : self->received(count);
                            });
  }

  void received(std::size_t count) {
    if (options_.workload == Workload::kSink) return read();
    arm();
    work_.received(count, options_);
    asio::async_write(socket_, asio::buffer(data_.get(), count),
                      [self = shared_from_this()](std::error_code error, std::size_t) {
                        error ? self->end() : self->read();
                      });
  }

  // The wait holds on to the session, and so to the socket.
  void end() { timer_.cancel(); }

  void arm() {
    if (options_.workload != Workload::kTimers) return;
    timer_.expires_after(kPatience);  // Cancels the wait there was.
    timer_.async_wait([self = shared_from_this()](std::error_code error) {
      if (!error) self->socket_.close();
    });
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  const Options& options_;
  Work work_;
  std::unique_ptr<char[]> data_ = std::make_unique_for_overwrite<char[]>(kReceive);
};

class Source final : public std::enable_shared_from_this<Source> {
 public:
  explicit Source(tcp::socket socket, const Pattern& pattern)
      : socket_(std::move(socket)), pattern_(pattern) {}

  void write() {
    asio::async_write(socket_, asio::buffer(pattern_.at(sent_), pattern_.chunk()),
                      [self = shared_from_this()](std::error_code error, std::size_t count) {
                        self->sent_ += count;
                        if (!error) self->write();
                      });
  }

 private:
  tcp::socket socket_;
  const Pattern& pattern_;
  std::uint64_t sent_ = 0;
};

class Relay final : public std::enable_shared_from_this<Relay> {
 public:
  explicit Relay(tcp::socket client)
      : upstream_(client.get_executor()), client_(std::move(client)) {}

  void connect(const sockaddr_in& to) {
    const asio::ip::address_v4 address(ntohl(to.sin_addr.s_addr));
    upstream_.async_connect(tcp::endpoint(address, ntohs(to.sin_port)),
                            [self = shared_from_this()](std::error_code error) {
                              if (!error) self->start();
                            });
  }

 private:
  struct Way {
    tcp::socket& from;
    tcp::socket& to;
    std::unique_ptr<char[]> data = std::make_unique_for_overwrite<char[]>(kReceive);
  };

  void start() {
    upstream_.set_option(tcp::no_delay(true));
    read(there_);
    read(back_);
  }

  void read(Way& way) {
    way.from.async_read_some(
        asio::buffer(way.data.get(), kReceive),
        [self = shared_from_this(), &way](std::error_code error, std::size_t count) {
          if (!error) return self->write(way, count);
          if (error != asio::error::eof) return self->close();
          way.to.shutdown(tcp::socket::shutdown_send, error);
        });
  }

  void write(Way& way, std::size_t count) {
    asio::async_write(way.to, asio::buffer(way.data.get(), count),
                      [self = shared_from_this(), &way](std::error_code error, std::size_t) {
                        error ? self->close() : self->read(way);
                      });
  }

  void close() {
    std::error_code ignored;
    upstream_.close(ignored);
    client_.close(ignored);
  }

  tcp::socket upstream_;
  tcp::socket client_;
  Way there_{client_, upstream_};
  Way back_{upstream_, client_};
};

class Server {
 public:
  explicit Server(const Options& options)
      : options_(options), acceptor_(context_, tcp::endpoint(loopback(), options.port)) {
    acceptor_.set_option(tcp::no_delay(true));  // Inherited by what it accepts.
  }

  void run() {
    accept();
    const std::string version = std::to_string(ASIO_VERSION / 100000) + "." +
                                std::to_string(ASIO_VERSION / 100 % 1000) + "." +
                                std::to_string(ASIO_VERSION % 100);
    announce(acceptor_.local_endpoint().port(), PEER_ENGINE, version);
    context_.run();
  }

 private:
  static asio::ip::address_v4 loopback() { return asio::ip::address_v4::loopback(); }

  void accept() {
    acceptor_.async_accept([this](std::error_code error, tcp::socket socket) {
      if (!error) serve(std::move(socket));
      accept();
    });
  }

  void serve(tcp::socket socket) {
    switch (options_.workload) {
      case Workload::kEcho:
      case Workload::kCompute:
      case Workload::kTimers:
      case Workload::kSink:
        return std::make_shared<Session>(std::move(socket), options_)->start();
      case Workload::kSource:
        return std::make_shared<Source>(std::move(socket), pattern_)->write();
      case Workload::kRelay:
        return std::make_shared<Relay>(std::move(socket))->connect(options_.to);
    }
  }

  const Options options_;
  const Pattern pattern_;
  asio::io_context context_{1};  // One thread, and so no contention.
  tcp::acceptor acceptor_;
};

}  // namespace
}  // namespace peer

int main(int argc, char** argv) {
  const peer::Options options = peer::optionsOf(argc, argv);
  try {
    peer::Server(options).run();
  } catch (const std::system_error& error) {
    peer::refusePort(options.port, error.code().message());
  }
}
