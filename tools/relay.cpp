// penstock relay: joins each client with a connection of its own to the target. The library's
// relay() does all of it, unless a limit was asked for; here is what it is like by hand.
#include <penstock/tools/command.h>
#include <penstock/tools/endpoint.h>
#include <penstock/tools/session.h>
#include <penstock/transports/relay.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

namespace penstock::tools {
namespace {

// One of the two connections. Each is the streaming producer of the other: a side that does not
// take its bytes stops the other from being read.
class RelaySide : public Session, private Producer {
 public:
  using Session::Session;

 protected:
  // What waits for each side that does not read; a receive or two come on top of it. Less than
  // usual, for there may be hundreds of them.
  static constexpr std::size_t kHighWaterMark = 16384;

  // The client has been held until now.
  static void join(RelaySide& client, RelaySide& target) {
    client.other_ = &target;
    target.other_ = &client;
    if (client.server().options().bytesLimit == ServerOptions::kNoLimit) {
      client.replaced_ = target.replaced_ = true;
      client.joint_ = relay(client.transport(), target.transport());
      return;
    }
    client.transport().setHighWaterMark(kHighWaterMark);
    target.transport().setHighWaterMark(kHighWaterMark);
    client.transport().registerProducer(target, Production::kStreaming);
    target.transport().registerProducer(client, Production::kStreaming);
    client.transport().resumeProducing();
  }

  void closed(std::error_code why) override {
    if (other_) other_->otherClosed(why, *this);
    other_ = nullptr;
  }

  // What the log calls this side when it ends the relay.
  virtual std::string role() const = 0;

 private:
  bool isReplaced() const noexcept override { return replaced_; }

  void ending() override {
    if (replaced_) setCounts(joint_.bytesFromFirst(), joint_.bytesFromSecond());
  }

  void received(Bytes bytes) override {
    const std::uint64_t left = server().options().bytesLimit - other_->sentBytes();
    other_->send(
        bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size()))));
    if (bytes.size() < left) return;
    other_->finish();
    finish();
  }

  // The half-close is passed on, behind all that was received.
  void inputEnded() override {
    other_->transport().unregisterProducer();
    other_->transport().loseWriteConnection();
  }

  // The other side is over, by a clean end or otherwise, and so are we, in the same way.
  void otherClosed(std::error_code why, const RelaySide& other) {
    other_ = nullptr;
    if (why) setReason(other.role() + ": " + why.message());
    if (replaced_) return;  // The library's relay ends us.
    transport().unregisterProducer();
    if (why) return transport().abortConnection();
    if (!isFinishing()) transport().loseConnection();
  }

  void pauseProducing() override { transport().pauseProducing(); }
  void resumeProducing() override { transport().resumeProducing(); }
  void stopProducing() override {}  // otherClosed() follows, and knows whether to abort.

  RelaySide* other_ = nullptr;
  Relay joint_;  // Of the client, which has the line in the log.
  bool replaced_ = false;
};

class ClientSide final : public RelaySide {
 public:
  ClientSide(Server& server, const Endpoint& target) noexcept
      : RelaySide(server), target_(target) {}

 private:
  void opened() override;
  void closed(std::error_code why) override;
  std::string role() const override { return "the client"; }
  void connectFailed(std::error_code why);

  friend class TargetSide;

  const Endpoint& target_;
  Connector* connector_ = nullptr;  // While it is connecting.
};

class TargetSide final : public RelaySide {
 public:
  TargetSide(Server& server, ClientSide& client) noexcept : RelaySide(server), client_(client) {}

 private:
  void opened() override {
    client_.connector_ = nullptr;
    join(client_, *this);
  }
  bool isLogged() const noexcept override { return false; }  // The client's line tells it all.
  std::string role() const override { return "the target"; }

  ClientSide& client_;  // It calls the attempt off when it ends before this opens.
};

void ClientSide::opened() {
  transport().pauseProducing();  // Until there is somewhere to send it.
  connector_ = &target_.connect(
      server().reactor(), [this] { return std::make_unique<TargetSide>(server(), *this); },
      [this](std::error_code why) { connectFailed(why); });
}

void ClientSide::closed(std::error_code why) {
  if (connector_) connector_->cancel();
  connector_ = nullptr;
  RelaySide::closed(why);
}

void ClientSide::connectFailed(std::error_code why) {
  connector_ = nullptr;
  abort("connecting to " + target_.text() + " failed: " + why.message());
}

void serveRelay(const ServerOptions& options, const std::string& to) {
  const Endpoint target = Endpoint::toConnect(to);
  Server server(options);
  server.serve([&] { return std::make_unique<ClientSide>(server, target); });
}

}  // namespace

void addRelay(CLI::App& app) {
  auto to = std::make_shared<std::string>();
  CLI::App& command =
      addServerCommand(app, "relay", "Joins each client with a connection to a target",
                       [to](const ServerOptions& options) { serveRelay(options, *to); });
  command.add_option("--to", *to, "The target: HOST:PORT, [IPV6]:PORT or unix:PATH")
      ->type_name("PLACE")
      ->required();
}

}  // namespace penstock::tools
