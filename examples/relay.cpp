// Joins each client of port 8008 with a connection of its own to port 8007. The two transports are
// each other's producer: a side that does not read stops the other from being read.
#include <penstock/runtime/reactor.h>
#include <penstock/transports/tcp.h>

#include <array>
#include <memory>
#include <utility>

using namespace penstock;

constexpr int kClient = 0;
constexpr int kTarget = 1;
using Ends = std::array<Transport*, 2>;  // Null: not there yet, or not any more.

struct Side final : Protocol {
  Side(std::shared_ptr<Ends> ends, int which) : ends_(std::move(ends)), which_(which) {}

  void connectionMade(Transport& transport) override {
    mine() = &transport;
    if (which_ == kClient) return connectTarget();
    mine()->registerProducer(*other(), Production::kStreaming);
    other()->registerProducer(*mine(), Production::kStreaming);
    other()->resumeProducing();
  }

  void connectTarget() {
    mine()->pauseProducing();  // Until there is somewhere to send it.
    connectTcp(
        mine()->reactor(), "127.0.0.1", 8007,
        [ends = ends_] {
          return (*ends)[kClient] ? std::make_unique<Side>(ends, kTarget) : nullptr;
        },
        [ends = ends_](std::error_code) {
          if (Transport* client = (*ends)[kClient]) client->loseConnection();
        });
  }

  void dataReceived(Bytes bytes) override { other()->write(bytes); }

  void connectionLost(std::error_code) override {
    mine() = nullptr;
    if (other()) other()->stopConsuming();  // It sends what it has, and closes.
  }

  Transport*& mine() { return (*ends_)[which_]; }
  Transport*& other() { return (*ends_)[1 - which_]; }

  std::shared_ptr<Ends> ends_;
  const int which_;
};

int main() {
  auto reactor = Reactor::create();
  listenTcp(*reactor, Address::parse("127.0.0.1:8008"),
            [] { return std::make_unique<Side>(std::make_shared<Ends>(), kClient); });
  reactor->stopOnSignals();
  reactor->run();
}
