// Address: where a socket is bound or connected: IPv4, IPv6, or a UNIX path or abstract name.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/socket_address.h>

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace penstock {

class Transport;
class Listener;

// A value: what bind(2) and connect(2) take. Every maker throws std::invalid_argument with one
// line that names the input and says what is expected. Any thread.
// Twisted: IPv4Address, IPv6Address, UNIXAddress.
class PENSTOCK_API Address : public SocketAddress {
 public:
  // No address at all; family() is AF_UNSPEC.
  Address() noexcept = default;

  // What the runtime hands over is read as it is.
  Address(const SocketAddress& address) noexcept : SocketAddress(address) {}

  // `host` is numeric: "127.0.0.1".
  static Address ipv4(std::string_view host, std::uint16_t port);

  // `host` is numeric, and may name its scope: "::1", "fe80::1%eth0", "fe80::1%2".
  static Address ipv6(std::string_view host, std::uint16_t port);
  static Address ipv6(std::string_view host, std::uint16_t port, std::uint32_t scopeId);

  // Either of the two, by the looks of `host`.
  static Address numeric(std::string_view host, std::uint16_t port);

  // Every interface, and this machine only. `family` is AF_INET or AF_INET6.
  static Address any(std::uint16_t port, int family = AF_INET);
  static Address loopback(std::uint16_t port, int family = AF_INET);

  // A socket file; at most 107 bytes, the limit of the kernel.
  static Address unixPath(std::string_view path);

  // A name that is no file and goes with its socket (Linux); at most 107 bytes, of any value.
  static Address unixAbstract(std::string_view name);

  // Reads "127.0.0.1:80", "[::1]:80", ":80" or "*:80" (any IPv4 interface), "unix:/path" and
  // "unix:@name". Names of hosts are for the resolver: see splitHostAndPort().
  static Address parse(std::string_view text);

  // Copies what a system call filled in.
  static Address fromSockaddr(const sockaddr* address, socklen_t length) noexcept;

  bool isInternet() const noexcept { return family() == AF_INET || family() == AF_INET6; }
  bool isUnix() const noexcept { return family() == AF_UNIX; }
  bool isAbstract() const noexcept;  // A UNIX name that is no file.

  std::string host() const;             // "127.0.0.1", "fe80::1%eth0"; empty for UNIX.
  std::uint16_t port() const noexcept;  // 0 for UNIX.
  std::string path() const;             // UNIX: the path or abstract name; empty if unnamed.
  Address withPort(std::uint16_t port) const noexcept;  // The same otherwise.

  // What parse() reads. Bytes of an abstract name that do not print are shown as \xNN.
  std::string text() const;

  // The same place. Flow labels of IPv6 do not count.
  friend PENSTOCK_API bool operator==(const Address& one, const Address& other) noexcept;
};

// A host, by name or number, and a port.
struct HostAndPort {
  std::string host;
  std::uint16_t port = 0;
};

// Splits "example.org:80", "127.0.0.1:80", "[::1]:80"; the host of ":80" is empty. Throws
// std::invalid_argument in the manner of Address::parse().
PENSTOCK_API HostAndPort splitHostAndPort(std::string_view text);

// The addresses of both sides of a connection, from connectionMade() until connectionLost() has
// returned, whatever has become of it: the peer's was taken when the connection was. Throws
// std::logic_error for a connection in memory. Loop thread only.
PENSTOCK_API Address getHost(const Transport& transport);
PENSTOCK_API Address getPeer(const Transport& transport);

// Where it listens. Throws std::logic_error once it was stopped, std::system_error when the kernel
// does not tell.
PENSTOCK_API Address getHost(const Listener& listener);

}  // namespace penstock
