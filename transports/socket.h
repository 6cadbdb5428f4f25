// Sockets before they are transports, and their options: the synchronous socket calls.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/listener.h>
#include <penstock/runtime/owned_fd.h>
#include <penstock/transports/address.h>

#include <sys/socket.h>

#include <cstddef>

namespace penstock {

class Reactor;
class Transport;

// All of these make their calls through socketCalls() and throw std::system_error that names the
// call and its object ("bind 127.0.0.1:80: Address already in use"). Loop thread only.

struct ListenOptions {
  // How many connections may wait to be accepted; the kernel caps it (net.core.somaxconn).
  int backlog = SOMAXCONN;

  // SO_REUSEPORT: several sockets listen at one address and the kernel deals connections out.
  bool reusePort = false;

  // An IPv6 socket takes no IPv4 connections. Off: [::]:80 hears both.
  bool ipv6Only = false;

  // TCP_NODELAY, set once on the listening socket: what it accepts inherits it.
  bool noDelay = true;

  // Accepts only while fewer of its connections live; see Listener::setMostConnections().
  std::size_t mostConnections = Listener::kNoLimit;
};

// A stream socket with the flags that `reactor` wants.
PENSTOCK_API OwnedFd streamSocket(const Reactor& reactor, int family);

PENSTOCK_API void bindSocket(int fd, const Address& at);

// A socket bound `at` and listening, with SO_REUSEADDR. Of the options, only the backlog is for
// UNIX addresses.
PENSTOCK_API OwnedFd listeningSocket(const Reactor& reactor, const Address& at,
                                     const ListenOptions& options = {});

// An integer socket option. `call` names it in the error: "setsockopt TCP_NODELAY".
PENSTOCK_API void setSocketOption(int fd, int level, int option, int value, const char* call);
PENSTOCK_API int getSocketOption(int fd, int level, int option, const char* call);

// The descriptor of `transport`, for a system call. Throws std::logic_error naming `call` when
// there is none: in memory, or once the connection is over.
PENSTOCK_API int openDescriptor(const Transport& transport, const char* call);

// Options of a TCP connection. std::logic_error as openDescriptor().
// Twisted: ITCPTransport.
PENSTOCK_API void setTcpNoDelay(const Transport& transport, bool enabled);
PENSTOCK_API bool getTcpNoDelay(const Transport& transport);
PENSTOCK_API void setTcpKeepAlive(const Transport& transport, bool enabled);
PENSTOCK_API bool getTcpKeepAlive(const Transport& transport);

}  // namespace penstock
