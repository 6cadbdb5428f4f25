#include <penstock/runtime/errors.h>
#include <penstock/runtime/reactor.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/transports/socket.h>
#include <penstock/transports/socket_file.h>
#include <penstock/transports/unix_socket.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace penstock {
namespace {

void requireUnix(const Address& address, const char* call) {
  if (address.isUnix()) return;
  throw std::invalid_argument(std::string(call) + " " + address.text() +
                              ": expected unix:/path or unix:@name");
}

void listen(int fd, const Address& at, int backlog) {
  const int result = socketCalls().listen(fd, backlog);
  if (result < 0) throwErrno(result, "listen " + at.text());
}

// What removes the file again, also if it is never called.
Callback listenAtPath(int fd, const Address& at, const UnixListenOptions& options) {
  const DirectoryLock lock(at.path());
  SocketFile file = SocketFile::bind(fd, at, options.replaceStale && lock.held());
  if (options.mode) file.setMode(*options.mode);
  listen(fd, at, options.backlog);
  return [file = std::move(file)]() mutable { file.remove(); };
}

}  // namespace

Listener& listenUnix(Reactor& reactor, const Address& at, ProtocolFactory factory,
                     const UnixListenOptions& options) {
  requireUnix(at, "listenUnix");
  OwnedFd fd = streamSocket(reactor, AF_UNIX);
  Callback atEnd;
  if (at.isAbstract()) {
    bindSocket(fd.get(), at);
    listen(fd.get(), at, options.backlog);
  } else {
    atEnd = listenAtPath(fd.get(), at, options);
  }
  Listener& listener = reactor.openListener(std::move(fd), std::move(factory), std::move(atEnd));
  listener.setMostConnections(options.mostConnections);
  return listener;
}

Connector& connectUnix(Reactor& reactor, const Address& to, ProtocolFactory factory,
                       ConnectFailedHandler failed, const ConnectOptions& options) {
  requireUnix(to, "connectUnix");
  return Connector::connectTo(reactor, to, {std::move(factory), std::move(failed)}, options);
}

}  // namespace penstock
