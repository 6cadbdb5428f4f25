// A program outside the tree: echoes over TCP on every backend that works here.
#include <penstock/runtime/backends.h>
#include <penstock/runtime/reactor.h>
#include <penstock/transports/address.h>
#include <penstock/transports/tcp.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <system_error>

namespace {

constexpr std::string_view kMessage = "through the installed library";

class Echo final : public penstock::Protocol {
 public:
  void connectionMade(penstock::Transport& transport) override { transport_ = &transport; }
  void dataReceived(penstock::Bytes bytes) override { transport_->write(bytes); }
  void connectionLost(std::error_code) override {}

 private:
  penstock::Transport* transport_ = nullptr;
};

class Asker final : public penstock::Protocol {
 public:
  explicit Asker(std::string& answer) : answer_(answer) {}

  void connectionMade(penstock::Transport& transport) override {
    transport_ = &transport;
    transport.write(penstock::asBytes(kMessage));
  }
  void dataReceived(penstock::Bytes bytes) override {
    answer_ += penstock::asText(bytes);
    if (answer_.size() >= kMessage.size()) transport_->loseConnection();
  }
  void connectionLost(std::error_code) override { transport_->reactor().stop(); }

 private:
  std::string& answer_;
  penstock::Transport* transport_ = nullptr;
};

std::string echoOn(penstock::Backend backend) {
  std::string answer;
  const auto reactor = penstock::Reactor::create({.backend = backend});
  auto& listener = penstock::listenTcp(*reactor, penstock::Address::loopback(0),
                                       [] { return std::make_unique<Echo>(); });
  penstock::connectTcp(
      *reactor, penstock::getHost(listener), [&] { return std::make_unique<Asker>(answer); },
      [&](std::error_code why) {
        std::printf("no connection: %s\n", why.message().c_str());
        reactor->stop();
      });
  reactor->run();
  return answer;
}

int tryBackend(penstock::Backend backend) {
  const std::string name(penstock::nameOf(backend));
  try {
    const bool good = echoOn(backend) == kMessage;
    std::printf("%s: %s\n", name.c_str(), good ? "good" : "wrong answer");
    return good ? 0 : 1;
  } catch (const std::system_error& error) {
    std::printf("%s: not here: %s\n", name.c_str(), error.what());
    return backend == penstock::Backend::kUring ? 0 : 1;
  }
}

}  // namespace

int main() { return tryBackend(penstock::Backend::kEpoll) + tryBackend(penstock::Backend::kUring); }
