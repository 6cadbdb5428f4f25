#include <penstock/sim/network.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace penstock::sim {
namespace {

Name nameOf(const sockaddr* address, socklen_t length) {
  Name name;
  name.length = std::min<socklen_t>(length, sizeof name.address);
  std::memcpy(&name.address, address, name.length);
  return name;
}

template <class Address>
Address& as(const Name& name) {
  return const_cast<Address&>(reinterpret_cast<const Address&>(name.address));
}

int familyOf(const Name& name) { return name.address.ss_family; }

std::uint16_t portOf(const Name& name) {
  return ntohs(familyOf(name) == AF_INET ? as<sockaddr_in>(name).sin_port
                                         : as<sockaddr_in6>(name).sin6_port);
}

void setPort(Name& name, std::uint16_t port) {
  (familyOf(name) == AF_INET ? as<sockaddr_in>(name).sin_port : as<sockaddr_in6>(name).sin6_port) =
      htons(port);
}

// IPv4 addresses are told apart from IPv6 ones only by being mapped into them.
in6_addr hostOf(const Name& name) {
  if (familyOf(name) == AF_INET6) return as<sockaddr_in6>(name).sin6_addr;
  in6_addr host{};
  host.s6_addr[10] = host.s6_addr[11] = 0xff;
  std::memcpy(&host.s6_addr[12], &as<sockaddr_in>(name).sin_addr, 4);
  return host;
}

bool isAny(const in6_addr& host) {
  return IN6_IS_ADDR_UNSPECIFIED(&host) ||
         (IN6_IS_ADDR_V4MAPPED(&host) && host.s6_addr32[3] == INADDR_ANY);
}

bool isHere(const in6_addr& host) {
  return isAny(host) || IN6_IS_ADDR_LOOPBACK(&host) ||
         (IN6_IS_ADDR_V4MAPPED(&host) && host.s6_addr[12] == 127);
}

// Whether a socket bound to `bound` hears what is sent to `host`.
bool covers(const in6_addr& bound, const in6_addr& host, bool onlyV6) {
  if (std::memcmp(&bound, &host, sizeof bound) == 0) return true;
  if (!isAny(bound)) return false;
  const bool host4 = IN6_IS_ADDR_V4MAPPED(&host);
  return IN6_IS_ADDR_V4MAPPED(&bound) ? host4 : !(host4 && onlyV6);
}

bool sameKind(const Name& one, const Name& other) {
  return (familyOf(one) == AF_UNIX) == (familyOf(other) == AF_UNIX);
}

bool isPath(const Name& name) {
  return name.length > offsetof(sockaddr_un, sun_path) && as<sockaddr_un>(name).sun_path[0] != 0;
}

std::string_view textOf(const Name& name) {
  return {as<sockaddr_un>(name).sun_path, name.length - offsetof(sockaddr_un, sun_path)};
}

std::string pathOf(const Name& name) { return std::string(textOf(name).data()); }

bool sameUnixName(const Name& one, const Name& other) {
  if (isPath(one) != isPath(other)) return false;
  return isPath(one) ? pathOf(one) == pathOf(other) : textOf(one) == textOf(other);
}

void makeLoopback(Name& name) {
  if (familyOf(name) == AF_INET) {
    as<sockaddr_in>(name).sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else if (const in6_addr host = hostOf(name); IN6_IS_ADDR_V4MAPPED(&host)) {
    as<sockaddr_in6>(name).sin6_addr.s6_addr32[3] = htonl(INADDR_LOOPBACK);
  } else {
    as<sockaddr_in6>(name).sin6_addr = in6addr_loopback;
  }
}

bool isLive(const std::weak_ptr<Socket>& entry) { return !entry.expired(); }

}  // namespace

int Network::bind(const std::shared_ptr<Socket>& socket, const sockaddr* address,
                  socklen_t length) {
  std::erase_if(bound_, [](const auto& entry) { return !isLive(entry); });
  Name name = nameOf(address, length);
  if (socket->local.length > 0) return -EINVAL;
  if (familyOf(name) != socket->domain()) return -EINVAL;
  if (socket->isUnix()) {
    if (const int error = bindPath(*socket, name); error < 0) return error;
    if (name.length == sizeof(sa_family_t)) {
      auto& unixName = as<sockaddr_un>(name);
      const int written =
          std::snprintf(unixName.sun_path + 1, 6, "%05x", ++lastAbstract_ & 0xfffff);
      name.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + written);
    }
  } else {
    if (!isHere(hostOf(name))) return -EADDRNOTAVAIL;
    if (portOf(name) == 0 && !takeFreePort(*socket, name)) return -EADDRINUSE;
  }
  if (conflicts(*socket, name)) return -EADDRINUSE;
  socket->local = name;
  bound_.push_back(socket);
  return 0;
}

// The file is made, or refused, by the real call.
int Network::bindPath(Socket& socket, const Name& name) const {
  if (!isPath(name)) return 0;
  const int fd = ::socket(socket.domain(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  const auto* address = reinterpret_cast<const sockaddr*>(&name.address);
  const int result = ::bind(fd, address, name.length) < 0 ? -errno : 0;
  ::close(fd);
  return result;
}

bool Network::conflicts(const Socket& socket, const Name& name) const {
  if (isPath(name) && familyOf(name) == AF_UNIX) return false;  // The file has decided.
  return std::ranges::any_of(bound_, [&](const std::weak_ptr<Socket>& entry) {
    const std::shared_ptr<Socket> other = entry.lock();
    if (!other || !sameKind(other->local, name)) return false;
    if (socket.isUnix()) return sameUnixName(other->local, name);
    if (portOf(other->local) != portOf(name)) return false;
    const auto both = [&](int option) {
      return socket.hasFlag(SOL_SOCKET, option) && other->hasFlag(SOL_SOCKET, option);
    };
    if (both(SO_REUSEPORT)) return false;
    if (both(SO_REUSEADDR) && other->state() != Socket::State::kListening) return false;
    const bool onlyV6 = socket.hasFlag(IPPROTO_IPV6, IPV6_V6ONLY);
    const bool otherOnlyV6 = other->hasFlag(IPPROTO_IPV6, IPV6_V6ONLY);
    return covers(hostOf(other->local), hostOf(name), otherOnlyV6) ||
           covers(hostOf(name), hostOf(other->local), onlyV6);
  });
}

bool Network::takeFreePort(const Socket& socket, Name& name) {
  for (unsigned tries = 0; tries < kFirstPort; ++tries) {
    lastPort_ = lastPort_ == UINT16_MAX ? kFirstPort : static_cast<std::uint16_t>(lastPort_ + 1);
    setPort(name, lastPort_);
    if (!conflicts(socket, name)) return true;
  }
  return false;
}

int Network::listen(const std::shared_ptr<Socket>& socket, int backlog) {
  if (socket->local.length == 0) {
    if (socket->isUnix()) return -EINVAL;
    Name any;
    any.address.ss_family = static_cast<sa_family_t>(socket->domain());
    any.length = socket->domain() == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    const auto* address = reinterpret_cast<const sockaddr*>(&any.address);
    if (const int error = bind(socket, address, any.length); error < 0) return error;
  }
  return socket->listen(backlog);
}

std::shared_ptr<Socket> Network::listenerAt(const Name& name) const {
  std::shared_ptr<Socket> found;
  for (const std::weak_ptr<Socket>& entry : bound_) {
    const std::shared_ptr<Socket> socket = entry.lock();
    if (!socket || socket->state() != Socket::State::kListening) continue;
    if (!sameKind(socket->local, name)) continue;
    if (socket->isUnix()) {
      if (sameUnixName(socket->local, name)) found = socket;
      continue;
    }
    const bool onlyV6 = socket->hasFlag(IPPROTO_IPV6, IPV6_V6ONLY);
    if (portOf(socket->local) != portOf(name)) continue;
    if (!covers(hostOf(socket->local), hostOf(name), onlyV6)) continue;
    if (!found || isAny(hostOf(found->local))) found = socket;  // The more particular one.
  }
  return found;
}

int Network::connect(const std::shared_ptr<Socket>& socket, const sockaddr* address,
                     socklen_t length) {
  if (address->sa_family == AF_UNSPEC) return socket->disconnect();
  switch (socket->state()) {
    case Socket::State::kConnecting:
      return -EALREADY;
    case Socket::State::kConnected:
      return -EISCONN;
    case Socket::State::kListening:
      return -EINVAL;
    case Socket::State::kFresh:
      break;
  }
  if (const int error = socket->takeError()) return -error;
  Name name = nameOf(address, length);
  if (familyOf(name) != socket->domain()) return -EAFNOSUPPORT;
  if (socket->isUnix()) return connectUnix(socket, name);
  if (isAny(hostOf(name))) makeLoopback(name);
  nameLocal(socket, name);
  socket->remote = name;
  socket->setConnecting();
  if (isHere(hostOf(name))) setOut(socket);
  return -EINPROGRESS;
}

void Network::setOut(const std::shared_ptr<Socket>& socket) {
  if (socket->exempt) return reach(socket);
  const auto order = world_.orders().take(Call::kConnect);
  const auto reachLate = [this, weak = std::weak_ptr(socket)] {
    if (const auto late = weak.lock()) reach(late);
  };
  if (order && order->what == Order::What::kFail) {
    socket->connectFailed(order->error);
  } else if (order) {
    world_.at(later(world_.now(), order->delay), reachLate);
  } else if (world_.chance(world_.faults().delay)) {
    world_.soon(reachLate);
  } else {
    reach(socket);
  }
}

void Network::nameLocal(const std::shared_ptr<Socket>& socket, const Name& destination) {
  if (socket->local.length == 0) {
    Name name = destination;
    makeLoopback(name);
    setPort(name, 0);
    bind(socket, reinterpret_cast<const sockaddr*>(&name.address), name.length);
  } else if (isAny(hostOf(socket->local))) {
    makeLoopback(socket->local);
  }
}

void Network::reach(const std::shared_ptr<Socket>& socket) {
  if (socket->state() != Socket::State::kConnecting) return;
  if (const std::shared_ptr<Socket> listener = listenerAt(socket->remote)) {
    listener->admit(socket);
  } else {
    socket->connectFailed(ECONNREFUSED);
  }
}

int Network::connectUnix(const std::shared_ptr<Socket>& socket, const Name& name) {
  if (!socket->exempt) {
    const auto order = world_.orders().take(Call::kConnect);
    if (order && order->what == Order::What::kFail) return -order->error;
  }
  struct stat file;
  if (isPath(name) && ::stat(pathOf(name).c_str(), &file) < 0) return -errno;
  const std::shared_ptr<Socket> listener = listenerAt(name);
  if (!listener) return -ECONNREFUSED;
  if (listener->isFull() && socket->nonBlocking) return -EAGAIN;
  socket->remote = name;
  socket->setConnecting();
  listener->admit(socket);
  return socket->state() == Socket::State::kConnected ? 0 : -EINPROGRESS;
}

}  // namespace penstock::sim
