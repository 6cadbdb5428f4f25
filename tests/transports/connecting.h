// What the connector tests share: two recorders, an outcome, and places to connect to.
#pragma once

#include <penstock/runtime/system/socket_calls.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/transports/resolver.h>
#include <penstock/transports/tcp.h>

#include <sys/socket.h>
#include <boost/test/unit_test.hpp>

#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace penstock::testing {

using State = Connector::State;

// Finds the same addresses for every name.
inline std::unique_ptr<Resolver> resolverOf(std::vector<Address> addresses) {
  return std::make_unique<Resolver>(
      [addresses = std::move(addresses)](const std::string&) {
        return Resolution{{}, addresses};
      },
      1);
}

struct Connecting {
  Recorder client, server;
  std::optional<std::error_code> failed;
  int failures = 0;
  std::unique_ptr<Resolver> resolver;
  std::vector<OwnedFd> unlistened;
  ReactorFixture loop;

  ProtocolFactory making() {
    return [this] { return client.makeProtocol(); };
  }
  ConnectFailedHandler failing() {
    return [this](std::error_code why) {
      failed = why;
      ++failures;
    };
  }

  Address listen() {
    return getHost(
        listenTcp(loop.reactor(), Address::loopback(0), [this] { return server.makeProtocol(); }));
  }

  // Where nobody listens, nor can anybody for as long as this lives.
  Address refusing() {
    const SocketAddress any = anyAddress(SocketFamily::kTcp);
    OwnedFd& fd = unlistened.emplace_back(makeSocket(loop.reactor(), SocketFamily::kTcp));
    BOOST_TEST_REQUIRE(socketCalls().bind(fd.get(), any.data(), any.length()) == 0);
    const SocketAddress at = addressOf(fd.get());
    return Address::fromSockaddr(at.data(), at.length());
  }

  Connector& connectTo(const Address& to, const ConnectOptions& options = {}) {
    return connectTcp(loop.reactor(), to, making(), failing(), options);
  }
  Connector& connectTo(std::vector<Address> addresses, ConnectOptions options = {}) {
    resolver = resolverOf(std::move(addresses));
    options.resolver = resolver.get();
    return connectTcp(loop.reactor(), "somewhere", 0, making(), failing(), options);
  }

  void waitForOutcome() {
    loop.runUntil([this] { return failed || client.made(); }, "a connection or a failure");
  }
};

// A listener whose backlog is full: connecting to it takes for ever.
class Unresponsive {
 public:
  explicit Unresponsive(ReactorFixture& loop) {
    ListenOptions options;
    options.backlog = 0;
    listener_ = listeningSocket(loop.reactor(), Address::loopback(0), options);
    sockaddr_storage storage;
    socklen_t length = sizeof storage;
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&storage), &length);
    address_ = Address::fromSockaddr(reinterpret_cast<sockaddr*>(&storage), length);
    for (int i = 0; i < 4; ++i) {
      fillers_.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      ::connect(fillers_.back().get(), address_.data(), address_.length());
    }
  }
  const Address& address() const noexcept { return address_; }

 private:
  OwnedFd listener_;
  Address address_;
  std::vector<OwnedFd> fillers_;
};

}  // namespace penstock::testing
