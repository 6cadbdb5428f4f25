// penstock discard: reads and counts, and answers nothing (RFC 863).
#include <penstock/tools/command.h>
#include <penstock/tools/session.h>

#include <memory>

namespace penstock::tools {
namespace {

class DiscardSession final : public Session {
 public:
  using Session::Session;

 private:
  void received(Bytes) override {
    if (receivedBytes() >= server().options().bytesLimit) transport().loseConnection();
  }
};

void discard(const ServerOptions& options) {
  Server server(options);
  server.serve([&server] { return std::make_unique<DiscardSession>(server); });
}

}  // namespace

void addDiscard(CLI::App& app) {
  addServerCommand(app, "discard", "Reads and counts, and answers nothing (RFC 863)", &discard);
}

}  // namespace penstock::tools
