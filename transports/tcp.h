// TCP: listening, connecting, and sockets that others have opened.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/protocol_factory.h>
#include <penstock/transports/address.h>
#include <penstock/transports/connector.h>
#include <penstock/transports/socket.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace penstock {

class Reactor;

// Listens at `at` with SO_REUSEADDR; port 0 takes a free one, told by getHost(). Each connection
// gets a protocol of `factory`. As text, `at` is what Address::parse() reads: "127.0.0.1:8007",
// "[::1]:80", ":80". Throws std::system_error naming the call and the address, and
// std::invalid_argument for a UNIX address, for text that is no address, and for an empty factory.
// Twisted: IReactorTCP.listenTCP.
PENSTOCK_API Listener& listenTcp(Reactor& reactor, const Address& at, ProtocolFactory factory,
                                 const ListenOptions& options = {});
PENSTOCK_API Listener& listenTcp(Reactor& reactor, std::string_view at, ProtocolFactory factory,
                                 const ListenOptions& options = {});

// Connects to "example.org:80", "127.0.0.1:80" or "[::1]:80"; or to `host`, a name or a number, at
// `port`; or to an address. Either `factory` is asked for a protocol and it hears connectionMade(),
// or `failed` is called, if it is not empty; both later than this call. Throws only
// std::invalid_argument, which names the input: for text that is no such place, for a UNIX address,
// an empty factory or a negative timeout. Twisted: IReactorTCP.connectTCP.
PENSTOCK_API Connector& connectTcp(Reactor& reactor, std::string_view hostAndPort,
                                   ProtocolFactory factory, ConnectFailedHandler failed,
                                   const ConnectOptions& options = {});
PENSTOCK_API Connector& connectTcp(Reactor& reactor, std::string host, std::uint16_t port,
                                   ProtocolFactory factory, ConnectFailedHandler failed,
                                   const ConnectOptions& options = {});
PENSTOCK_API Connector& connectTcp(Reactor& reactor, const Address& to, ProtocolFactory factory,
                                   ConnectFailedHandler failed, const ConnectOptions& options = {});

// Takes over a listening stream socket of any family, say from systemd; it is closed on exec from
// then on. Others may share it. io_uring works with it blocking or not; epoll makes it non-blocking
// and gives it a receive timeout (SO_RCVTIMEO) of a tick, for all who share it. Throws
// std::invalid_argument when it is no listening stream socket or the factory is empty, and
// std::system_error when it is no socket; it is closed then. Twisted:
// IReactorSocket.adoptStreamPort.
PENSTOCK_API Listener& adoptListener(Reactor& reactor, OwnedFd fd, ProtocolFactory factory);

// The same for a connected stream socket, whose mode is left as it is. `protocol` hears
// connectionMade() before this returns. `peer` is what getPeer() will tell; if it is empty the
// kernel is asked, and a connection that was reset meanwhile is refused (ENOTCONN). Throws
// std::invalid_argument for a null protocol too.
// Twisted: IReactorSocket.adoptStreamConnection.
PENSTOCK_API Transport& adoptStream(Reactor& reactor, OwnedFd fd,
                                    std::unique_ptr<Protocol> protocol,
                                    const SocketAddress& peer = {});

}  // namespace penstock
