#include <penstock/runtime/backends.h>
#include <penstock/tools/endpoint.h>
#include <penstock/tools/server.h>
#include <penstock/tools/session.h>
#include <penstock/transports/address.h>

#include <cstdio>
#include <utility>

namespace penstock::tools {
namespace {

std::unique_ptr<Reactor> createReactor(Backend backend) {
  ReactorOptions options;
  options.backend = backend;
  return Reactor::create(std::move(options));
}

void sayListening(const Listener& listener, Backend backend) {
  std::printf("listening on %s (%s)\n", getHost(listener).text().c_str(), nameOf(backend).data());
  std::fflush(stdout);
}

}  // namespace

Server::Server(const ServerOptions& options)
    : options_(options), reactor_(createReactor(options.backend)) {}

void Server::serve(ProtocolFactory factory) {
  listener_ = &Endpoint::toListen(options_.listen).listen(*reactor_, std::move(factory));
  reactor_->onStopSignals([this](int) { stopSignalled(); });
  sayListening(*listener_, reactor_->backend());
  reactor_->run();
}

void Server::opened(Session& session) noexcept { sessions_.pushBack(session); }

void Server::closed(Session& session) noexcept {
  session.unlink();
  if (draining_) stopWhenIdle();
}

void Server::stopSignalled() {
  if (std::exchange(draining_, true)) return abortAll();
  drain();
}

void Server::drain() {
  listener_->stopListening();
  forEachSession([](Session& session) { session.drain(); });
  reactor_->callLater(options_.drainLimit, [this] { abortAll(); });
  stopWhenIdle();
}

void Server::abortAll() {
  forEachSession([](Session& session) { session.abort("aborted, as it did not drain"); });
}

void Server::stopWhenIdle() {
  if (sessions_.empty()) reactor_->stop();
}

// `act` may end any of the sessions.
template <class Do>
void Server::forEachSession(Do act) {
  IntrusiveList<Session, InServer> all;
  all.append(sessions_);
  while (!all.empty()) {
    Session& session = all.popFront();
    sessions_.pushBack(session);
    act(session);
  }
}

}  // namespace penstock::tools
