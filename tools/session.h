// Session: a protocol of a Server, with its counts, its limit and its line in the log.
#pragma once

#include <penstock/runtime/parts/intrusive_list.h>
#include <penstock/runtime/timer.h>
#include <penstock/runtime/transport.h>
#include <penstock/tools/server.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <system_error>

namespace penstock::tools {

// Does the bookkeeping and leaves the service to a subclass, which fills in the hooks below.
class Session : public Protocol, public ListNode<InServer> {
 public:
  explicit Session(Server& server) noexcept : server_(server) {}

  void connectionMade(Transport& transport) final;
  void dataReceived(Bytes bytes) final;
  bool isHalfCloseable() const noexcept override { return true; }
  void readConnectionLost() final;
  void writeConnectionLost() final;
  void connectionLost(std::error_code why) final;

  // Closes after flushing what was accepted, whatever more the peer and the producer have; by
  // finish(), where a reset could overtake it.
  void drain();

  // Closes now, with a reset.
  void abort(std::string why);

 protected:
  // How long finish() waits for the peer to end its side.
  static constexpr Duration kLingerLimit = std::chrono::seconds(2);

  virtual void opened() {}
  virtual void received(Bytes bytes) = 0;
  virtual void inputEnded() { finish(); }
  virtual void ending() {}  // Before the line in the log.
  virtual void closed(std::error_code) {}

  // Whether this session has its line in the log.
  virtual bool isLogged() const noexcept { return true; }

  // Whether another protocol has taken this one's place, and of the connection only
  // connectionLost() is heard.
  virtual bool isReplaced() const noexcept { return false; }

  // Writes and counts.
  void send(Bytes bytes);
  void send(Buffer buffer);

  // Ends the service: all that was sent is flushed, then the sending side is closed. What still
  // comes in is dropped until the peer ends, too: closing over unread input would make a reset
  // of it, and the peer could lose what it was sent.
  void finish();

  // What another protocol has counted that took this one's place.
  void setCounts(std::uint64_t received, std::uint64_t sent) noexcept {
    receivedBytes_ = received;
    sentBytes_ = sent;
  }

  // Names the cause that the log tells, where the error code would not say it.
  void setReason(std::string reason) { reason_ = std::move(reason); }

  Server& server() const noexcept { return server_; }
  Transport& transport() const noexcept { return *transport_; }  // From opened() to closed().
  std::uint64_t receivedBytes() const noexcept { return receivedBytes_; }
  std::uint64_t sentBytes() const noexcept { return sentBytes_; }
  bool isFinishing() const noexcept { return finishing_; }

 private:
  void linger();
  void log(const std::string& what) const;
  std::string summary(std::error_code why) const;

  Server& server_;
  Transport* transport_ = nullptr;
  DelayedCall linger_;
  std::uint64_t receivedBytes_ = 0;
  std::uint64_t sentBytes_ = 0;
  bool inputEnded_ = false;
  bool finishing_ = false;
  std::string peer_;    // As the log names it.
  std::string reason_;  // Empty: the error code says it.
};

}  // namespace penstock::tools
