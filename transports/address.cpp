#include <penstock/runtime/errors.h>
#include <penstock/runtime/parts/escaped.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/runtime/transport.h>
#include <penstock/transports/address.h>
#include <penstock/transports/socket.h>

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <stdexcept>

namespace penstock {
namespace {

constexpr std::size_t kPathOffset = offsetof(sockaddr_un, sun_path);
constexpr std::size_t kLongestUnixName = sizeof(sockaddr_un::sun_path) - 1;

[[noreturn]] void refuse(std::string_view input, std::string_view expected) {
  throw std::invalid_argument("\"" + escaped(input) + "\": " + std::string(expected));
}

template <class Sockaddr>
Address made(const Sockaddr& address, std::size_t length = sizeof(Sockaddr)) noexcept {
  return Address::fromSockaddr(reinterpret_cast<const sockaddr*>(&address),
                               static_cast<socklen_t>(length));
}

// The socket address as the type of its family.
template <class Sockaddr>
Sockaddr as(const Address& address) noexcept {
  Sockaddr result{};
  std::memcpy(&result, address.data(), std::min<std::size_t>(address.length(), sizeof result));
  return result;
}

bool allDigits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::uint16_t portOf(std::string_view port, std::string_view input) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (!allDigits(port) || error != std::errc{} || number > 65535) {
    refuse(input, "the port must be a number from 0 to 65535");
  }
  return static_cast<std::uint16_t>(number);
}

std::uint32_t scopeOf(std::string_view scope, std::string_view input) {
  std::uint32_t index = 0;
  if (allDigits(scope)) {
    const auto [end, error] = std::from_chars(scope.data(), scope.data() + scope.size(), index);
    if (error == std::errc{}) return index;
    refuse(input, "the scope behind % is too large a number");
  }
  index = if_nametoindex(std::string(scope).c_str());
  if (index == 0) refuse(input, "the scope behind % must be a network interface or its number");
  return index;
}

std::string scopeText(std::uint32_t scopeId) {
  if (scopeId == 0) return {};
  char name[IF_NAMESIZE];
  return "%" + (if_indextoname(scopeId, name) ? std::string(name) : std::to_string(scopeId));
}

std::string printable(const std::string& name) {
  std::string text;
  for (const char byte : name) {
    if (byte >= 0x20 && byte < 0x7f) {
      text += byte;
      continue;
    }
    char hex[5];
    std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned>(byte) & 0xff);
    text += hex;
  }
  return text;
}

// Of what has a descriptor, or had one.
const SocketAddress& known(const SocketAddress& address, const Transport& transport,
                           const char* call) {
  const bool inMemory = transport.descriptor() < 0 && transport.hostAddress().empty();
  if (inMemory) throw std::logic_error(std::string(call) + ": it is a connection in memory");
  return address;
}

}  // namespace

Address Address::ipv4(std::string_view host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  const bool whole = host.find('\0') == std::string_view::npos;
  if (!whole || inet_pton(AF_INET, std::string(host).c_str(), &address.sin_addr) != 1) {
    refuse(host, "not an IPv4 address; expected something like 127.0.0.1");
  }
  return made(address);
}

Address Address::ipv6(std::string_view host, std::uint16_t port) {
  const std::size_t percent = host.find('%');
  if (percent == std::string_view::npos) return ipv6(host, port, 0);
  return ipv6(host.substr(0, percent), port, scopeOf(host.substr(percent + 1), host));
}

Address Address::ipv6(std::string_view host, std::uint16_t port, std::uint32_t scopeId) {
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_port = htons(port);
  address.sin6_scope_id = scopeId;
  const bool whole = host.find('\0') == std::string_view::npos;
  if (!whole || inet_pton(AF_INET6, std::string(host).c_str(), &address.sin6_addr) != 1) {
    refuse(host, "not an IPv6 address; expected something like ::1 or fe80::1%eth0");
  }
  return made(address);
}

Address Address::numeric(std::string_view host, std::uint16_t port) {
  return host.find(':') == std::string_view::npos ? ipv4(host, port) : ipv6(host, port);
}

Address Address::any(std::uint16_t port, int family) {
  return family == AF_INET6 ? ipv6("::", port) : ipv4("0.0.0.0", port);
}

Address Address::loopback(std::uint16_t port, int family) {
  return family == AF_INET6 ? ipv6("::1", port) : ipv4("127.0.0.1", port);
}

Address Address::unixPath(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty()) refuse(path, "the path of a UNIX socket cannot be empty");
  if (path.size() > kLongestUnixName) {
    refuse(path, "the path of a UNIX socket can have at most 107 bytes");
  }
  if (path.find('\0') != std::string_view::npos) {
    refuse(path, "the path of a UNIX socket cannot contain a zero byte");
  }
  std::ranges::copy(path, address.sun_path);
  return made(address, kPathOffset + path.size() + 1);
}

Address Address::unixAbstract(std::string_view name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.empty()) refuse(name, "an abstract UNIX name cannot be empty");
  if (name.size() > kLongestUnixName) {
    refuse(name, "an abstract UNIX name can have at most 107 bytes");
  }
  std::ranges::copy(name, address.sun_path + 1);
  return made(address, kPathOffset + 1 + name.size());
}

Address Address::parse(std::string_view text) {
  constexpr std::string_view kUnix = "unix:";
  if (text.starts_with(kUnix)) {
    const std::string_view name = text.substr(kUnix.size());
    if (name.empty() || name == "@") refuse(text, "expected unix:/path or unix:@name");
    return name.starts_with('@') ? unixAbstract(name.substr(1)) : unixPath(name);
  }
  const auto [host, port] = splitHostAndPort(text);
  if (host.empty() || host == "*") return any(port);
  try {
    return numeric(host, port);
  } catch (const std::invalid_argument&) {
    refuse(text, "expected 127.0.0.1:80, [::1]:80, :80, unix:/path or unix:@name");
  }
}

Address Address::fromSockaddr(const sockaddr* address, socklen_t length) noexcept {
  return SocketAddress(address, length);
}

bool Address::isAbstract() const noexcept {
  return isUnix() && length() > kPathOffset && as<sockaddr_un>(*this).sun_path[0] == '\0';
}

std::string Address::host() const {
  char text[INET6_ADDRSTRLEN];
  if (family() == AF_INET) {
    const auto address = as<sockaddr_in>(*this);
    return inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  }
  if (family() == AF_INET6) {
    const auto address = as<sockaddr_in6>(*this);
    return inet_ntop(AF_INET6, &address.sin6_addr, text, sizeof text) +
           scopeText(address.sin6_scope_id);
  }
  return {};
}

std::uint16_t Address::port() const noexcept {
  if (family() == AF_INET) return ntohs(as<sockaddr_in>(*this).sin_port);
  if (family() == AF_INET6) return ntohs(as<sockaddr_in6>(*this).sin6_port);
  return 0;
}

std::string Address::path() const {
  if (!isUnix() || length() <= kPathOffset) return {};
  const auto address = as<sockaddr_un>(*this);
  const std::size_t size = std::min<std::size_t>(length() - kPathOffset, sizeof address.sun_path);
  if (isAbstract()) return {address.sun_path + 1, size - 1};
  return {address.sun_path, strnlen(address.sun_path, size)};
}

Address Address::withPort(std::uint16_t port) const noexcept {
  if (family() == AF_INET) {
    auto address = as<sockaddr_in>(*this);
    address.sin_port = htons(port);
    return made(address);
  }
  if (family() == AF_INET6) {
    auto address = as<sockaddr_in6>(*this);
    address.sin6_port = htons(port);
    return made(address);
  }
  return *this;
}

std::string Address::text() const {
  if (family() == AF_INET) return host() + ":" + std::to_string(port());
  if (family() == AF_INET6) return "[" + host() + "]:" + std::to_string(port());
  if (isUnix()) return isAbstract() ? "unix:@" + printable(path()) : "unix:" + path();
  return "no address";
}

bool operator==(const Address& one, const Address& other) noexcept {
  if (one.family() != other.family()) return false;
  if (one.family() == AF_INET6) {
    const auto a = as<sockaddr_in6>(one);
    const auto b = as<sockaddr_in6>(other);
    return std::memcmp(&a.sin6_addr, &b.sin6_addr, sizeof a.sin6_addr) == 0 &&
           a.sin6_port == b.sin6_port && a.sin6_scope_id == b.sin6_scope_id;
  }
  if (one.family() == AF_INET) {
    const auto a = as<sockaddr_in>(one);
    const auto b = as<sockaddr_in>(other);
    return a.sin_addr.s_addr == b.sin_addr.s_addr && a.sin_port == b.sin_port;
  }
  return one.isAbstract() == other.isAbstract() && one.path() == other.path();
}

HostAndPort splitHostAndPort(std::string_view text) {
  constexpr std::string_view kExpected = "expected HOST:PORT, [IPV6]:PORT or :PORT";
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) refuse(text, kExpected);
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) refuse(text, kExpected);
  } else if (host.find_first_of(":[]") != std::string_view::npos) {
    refuse(text, "expected HOST:PORT; an IPv6 address goes in brackets, as in [::1]:80");
  }
  return {std::string(host), portOf(text.substr(colon + 1), text)};
}

Address getHost(const Transport& transport) {
  return known(transport.hostAddress(), transport, "getHost");
}

Address getHost(const Listener& listener) {
  if (listener.descriptor() < 0) throw std::logic_error("getHost: there is no open descriptor");
  socklen_t length = sizeof(sockaddr_storage);
  sockaddr_storage storage{};
  const int result = socketCalls().getsockname(listener.descriptor(),
                                               reinterpret_cast<sockaddr*>(&storage), &length);
  if (result < 0) throwErrno(result, "getsockname");
  return made(storage, length);
}

Address getPeer(const Transport& transport) {
  return known(transport.peerAddress(), transport, "getPeer");
}

}  // namespace penstock
