// Connector: connecting to somewhere, and the connection that came of it.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/reactor_object.h>
#include <penstock/runtime/time.h>
#include <penstock/runtime/timer.h>
#include <penstock/runtime/transport.h>
#include <penstock/runtime/unique_function.h>
#include <penstock/transports/address.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace penstock {

class OwnedFd;
class PendingLookup;
class Reactor;
class Resolver;

// Called once if no connection comes about, never from inside the call that began it. An
// exception from it is logged. Twisted: ClientFactory.clientConnectionFailed.
using ConnectFailedHandler = UniqueFunction<void(std::error_code why)>;

struct ConnectOptions {
  // For all of it: finding the addresses and trying them, each with its fair share of what is
  // left. Zero: no limit but the kernel's.
  Duration timeout = std::chrono::seconds(30);

  // The local address; its port may be 0. Addresses of another family then fail.
  std::optional<Address> bindAddress = {};

  // TCP_NODELAY.
  bool noDelay = true;

  // Who finds the addresses of a name. Null: Resolver::shared(). It must outlive the attempt.
  Resolver* resolver = nullptr;
};

// Tries one address after the other until one answers, gives that connection a protocol of the
// factory, and from then on stands for this connection. The reactor owns it: a reference is good
// until the failure handler returned, or connectionLost() of the connection it made did, or that
// was given another protocol. Made by
// connectTcp() and connectUnix(). Loop thread only. Twisted: IConnector.
class PENSTOCK_API Connector final : public ReactorObject {
 public:
  enum class State { kConnecting, kConnected, kDisconnected };
  State state() const noexcept { return state_; }

  // Gives up: the handler hears ConnectionError::kStopped in the next turn. Throws
  // std::logic_error when it is not connecting.
  void stopConnecting();

  // stopConnecting(), or loseConnection() of the connection, or nothing when all is over.
  void disconnect();

  // What comes of it. A null protocol refuses the connection: the handler hears kStopped; when
  // the factory throws, kProtocolFailed.
  struct Outcome {
    ProtocolFactory factory;
    ConnectFailedHandler failed;
  };

  static Connector& connectTo(Reactor& reactor, const Address& to, Outcome outcome,
                              const ConnectOptions& options);
  static Connector& connectTo(Reactor& reactor, std::string host, std::uint16_t port,
                              Outcome outcome, const ConnectOptions& options);

  void disconnectFromReactor() noexcept override;
  bool inUseByKernel() const noexcept override { return false; }

 private:
  class Tracked;

  Connector(Reactor& reactor, Outcome outcome, const ConnectOptions& options);
  ~Connector() override;
  void resolved(std::error_code why, std::vector<Address> addresses);
  void tryNext();
  void attempt(const Address& to);
  Duration fairShare() const;
  void attemptEnded(std::error_code why, OwnedFd fd);
  void open(OwnedFd fd);
  std::unique_ptr<Protocol> makeProtocol() noexcept;
  void timerFired();
  void stopTrying() noexcept;
  void failSoon(std::error_code why);
  void fail() noexcept;
  void connectionOver() noexcept;

  Reactor& reactor_;
  Outcome outcome_;
  const ConnectOptions options_;
  State state_ = State::kConnecting;
  TimePoint deadline_;
  Timer timer_;  // The limit while connecting; afterwards, the turn in which failure is told.
  std::error_code why_;
  PendingLookup* lookup_ = nullptr;
  std::vector<Address> addresses_;
  std::size_t next_ = 0;  // The address to try next.
  PendingConnect* attempt_ = nullptr;
  Transport* transport_ = nullptr;  // Of the connection, while there is one.
  Tracked* tracked_ = nullptr;
};

}  // namespace penstock
