// UNIX stream sockets: listening at a path or an abstract name, and connecting to one.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/protocol_factory.h>
#include <penstock/transports/address.h>
#include <penstock/transports/connector.h>

#include <sys/socket.h>
#include <sys/stat.h>

#include <cstddef>
#include <optional>

namespace penstock {

class Reactor;

struct UnixListenOptions {
  int backlog = SOMAXCONN;

  // Permissions of the socket file, set before anyone can connect; connecting takes the right to
  // write. None: those that the umask leaves. Not for abstract names.
  std::optional<mode_t> mode = std::nullopt;

  // A socket file that nobody listens at any more, left behind by a process that was killed, is
  // replaced. It is taken for one only if connecting to it is refused; anything else at the path
  // is left alone and the bind fails. The directory is locked (flock) meanwhile, so that of two
  // processes that start at once one gets the path and the other fails.
  bool replaceStale = true;

  // As in ListenOptions.
  std::size_t mostConnections = Listener::kNoLimit;
};

// Listens at a path or abstract name; each connection gets a protocol of `factory`. The path is
// removed when the listening ends, by stopListening() or with the reactor, if it still is this
// socket's. Throws std::system_error naming the call and the address, and std::invalid_argument
// when `at` is no UNIX address. Loop thread only. Twisted: IReactorUNIX.listenUNIX.
PENSTOCK_API Listener& listenUnix(Reactor& reactor, const Address& at, ProtocolFactory factory,
                                  const UnixListenOptions& options = {});

// As connectTcp(), to a path or abstract name. Where the listener's backlog is full it waits,
// within the timeout, behind those of this reactor that wait for the same listener. Twisted:
// IReactorUNIX.connectUNIX.
PENSTOCK_API Connector& connectUnix(Reactor& reactor, const Address& to, ProtocolFactory factory,
                                    ConnectFailedHandler failed,
                                    const ConnectOptions& options = {});

}  // namespace penstock
