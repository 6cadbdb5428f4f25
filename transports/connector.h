// Connector: connecting to somewhere, and the connection that came of it.
#pragma once

#include <penstock/runtime/core/reactor_object.h>
#include <penstock/runtime/export.h>
#include <penstock/runtime/parts/unique_function.h>
#include <penstock/runtime/protocol_factory.h>
#include <penstock/runtime/time.h>
#include <penstock/runtime/timer.h>
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
class ReactorBase;
class Resolver;

// Called once if no connection comes about, never from inside the call that began it. An
// exception from it is logged. An empty one: nobody asks. Twisted:
// ClientFactory.clientConnectionFailed.
using ConnectFailedHandler = UniqueFunction<void(std::error_code why)>;

struct ConnectOptions {
  // For all of it: finding the addresses and trying them, each with its fair share of what is
  // left. Zero: no limit but the kernel's.
  Duration timeout = std::chrono::seconds(30);

  // The local address; its port may be 0. Addresses of another family then fail.
  std::optional<Address> bindAddress = {};

  // TCP_NODELAY.
  bool noDelay = true;

  // Who finds the addresses of a name: a resolver of one's own has threads that nobody else can
  // take. Null: Resolver::shared(). It must outlive the attempt.
  Resolver* resolver = nullptr;
};

// Tries one address after the other until one answers, gives that connection a protocol of the
// factory, and from then on stands for this connection. Made by connectTcp() and connectUnix().
// The reactor owns it. A reference is good until the first of these:
//   * cancel() returned;
//   * the failure handler returned, or where there is none, the connector failed;
//   * connectionLost() of the connection it made returned, or that was given another protocol;
//   * the reactor is destroyed.
// Who may end before all of them calls cancel() then. Loop thread only. Twisted: IConnector.
class PENSTOCK_API Connector final : public ReactorObject {
 public:
  enum class State { kConnecting, kConnected, kDisconnected };
  State state() const noexcept { return state_; }

  // Ends the attempt in silence, as PendingConnect and PendingLookup do: neither the factory nor
  // the failure handler is called any more, also not after a stopConnecting(). A connection that
  // was made already lives on by itself. Never throws; inside the factory or the handler too.
  // In a forked child, as in the destructor of an object that was copied there, it does nothing.
  void cancel() noexcept;

  // Gives up aloud: the handler hears ConnectionError::kStopped in the next turn, so whatever it
  // refers to must live until then. Throws std::logic_error when it is not connecting.
  void stopConnecting();

  // stopConnecting(), or loseConnection() of the connection, or nothing when all is over.
  void disconnect();

  // What comes of it. A null protocol refuses the connection: the handler hears kStopped; when
  // the factory throws, kProtocolFailed. When a connection cannot be opened after all, as for want
  // of memory, the protocol is destroyed unheard and the handler called.
  struct Outcome {
    ProtocolFactory factory;
    ConnectFailedHandler failed;
  };

  // Both throw std::invalid_argument for an empty factory or a negative timeout.
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
  void lookUp(std::string host, std::uint16_t port);
  template <class Begin>
  void begin(Begin begin);
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
  void over() noexcept;

  ReactorBase& reactor_;
  Outcome outcome_;
  const ConnectOptions options_;
  State state_ = State::kConnecting;
  bool over_ = false;  // Nothing more comes of it.
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
