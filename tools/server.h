// Server: one listener, the sessions that came of it, and the way they end.
#pragma once

#include <penstock/runtime/parts/intrusive_list.h>
#include <penstock/runtime/reactor.h>
#include <penstock/tools/server_options.h>

#include <memory>

namespace penstock::tools {

class Session;
struct InServer;

// The first SIGINT or SIGTERM stops listening and closes every session after flushing; the second,
// or the end of the drain limit, aborts those that are left.
class Server {
 public:
  // Throws when the backend cannot be had.
  explicit Server(const ServerOptions& options);

  // Listens, says so on stdout, and returns when a signal came and the last session is closed.
  // Throws when it cannot listen.
  void serve(ProtocolFactory factory);

  Reactor& reactor() noexcept { return *reactor_; }
  const ServerOptions& options() const noexcept { return options_; }

  // By each session, when its connection is made and when it is lost.
  void opened(Session& session) noexcept;
  void closed(Session& session) noexcept;

 private:
  void stopSignalled();
  void drain();
  void abortAll();
  void stopWhenIdle();

  template <class Do>
  void forEachSession(Do act);

  const ServerOptions options_;
  IntrusiveList<Session, InServer> sessions_;
  Listener* listener_ = nullptr;  // Of the reactor.
  bool draining_ = false;
  std::unique_ptr<Reactor> reactor_;  // Last: its end tells the sessions, which tell this.
};

}  // namespace penstock::tools
