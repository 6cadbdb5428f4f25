// penstock echo: sends back what it receives (RFC 862).
#include <penstock/tools/command.h>
#include <penstock/tools/session.h>

#include <algorithm>
#include <memory>

namespace penstock::tools {
namespace {

class EchoSession final : public Session {
 public:
  using Session::Session;

 private:
  // What we receive is what we send, so the transport is its own producer: a peer that does not
  // read is not read from.
  void opened() override { transport().registerProducer(transport(), Production::kStreaming); }

  void received(Bytes bytes) override {
    const std::uint64_t left = server().options().bytesLimit - sentBytes();
    send(bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes.size()))));
    if (bytes.size() >= left) finish();
  }
};

void echo(const ServerOptions& options) {
  Server server(options);
  server.serve([&server] { return std::make_unique<EchoSession>(server); });
}

}  // namespace

void addEcho(CLI::App& app) {
  addServerCommand(app, "echo", "Sends back what it receives (RFC 862)", &echo);
}

}  // namespace penstock::tools
