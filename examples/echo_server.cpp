// Sends back what it receives. A peer that does not read is not read from.
#include <penstock/runtime/reactor.h>
#include <penstock/transports/tcp.h>

using namespace penstock;

struct Echo final : Protocol {
  void connectionMade(Transport& transport) override {
    transport.registerProducer(transport, Production::kStreaming);
  }
  void dataReceived(Bytes bytes) override { transport().write(bytes); }
  bool isHalfCloseable() const noexcept override { return true; }
  void readConnectionLost() override { transport().loseConnection(); }  // After what is queued.
};

int main() {
  auto reactor = Reactor::create();  // io_uring where it works, epoll otherwise.
  listenTcp(*reactor, "127.0.0.1:8007", [] { return std::make_unique<Echo>(); });
  reactor->stopOnSignals();
  reactor->run();
}
