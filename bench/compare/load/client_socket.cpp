#include <penstock/bench/compare/load/client_socket.h>
#include <penstock/bench/compare/usage.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

namespace penstock::compare {
namespace {

constexpr int kPatienceMs = 5000;

sockaddr_in addressOf(std::uint32_t host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(host);
  address.sin_port = htons(port);
  return address;
}

void setOption(int fd, int level, int option) {
  const int on = 1;
  checked(::setsockopt(fd, level, option, &on, sizeof on), "setsockopt");
}

[[noreturn]] void failed(const char* what, int error = errno) {
  throw ServerFault(std::string(what) + ": " + std::strerror(error));
}

void bindSource(int fd, std::uint32_t source) {
  // The port is chosen at connect, by all four of addresses and ports, so it can be used again.
  setOption(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
  const sockaddr_in from = addressOf(source, 0);
  checked(::bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from), "bind");
}

}  // namespace

int checked(int result, const char* call) {
  if (result >= 0) return result;
  throw std::runtime_error(std::string("the load generator: ") + call + ": " +
                           std::strerror(errno));
}

int beginConnect(std::uint16_t port, std::uint32_t sourceAddress) {
  const int fd =
      checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
  setOption(fd, IPPROTO_TCP, TCP_NODELAY);
  if (sourceAddress != 0) bindSource(fd, sourceAddress);
  const sockaddr_in to = addressOf(INADDR_LOOPBACK, port);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) < 0 &&
      errno != EINPROGRESS) {
    failed("connecting to the server");
  }
  return fd;
}

int connectTo(std::uint16_t port, std::uint32_t sourceAddress) {
  const int fd = beginConnect(port, sourceAddress);
  int error = 0;
  socklen_t length = sizeof error;
  if (!waitFor(fd, POLLOUT, kPatienceMs)) throw ServerFault("the server does not accept");
  checked(::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length), "getsockopt");
  errno = error;
  if (error != 0) failed("connecting to the server");
  return fd;
}

int acceptFrom(int listenFd) {
  if (!waitFor(listenFd, POLLIN, kPatienceMs)) throw ServerFault("the server does not connect");
  const int fd =
      checked(::accept4(listenFd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC), "accept4");
  setOption(fd, IPPROTO_TCP, TCP_NODELAY);
  return fd;
}

std::size_t sendSome(int fd, const std::byte* bytes, std::size_t count) {
  const ssize_t sent = ::send(fd, bytes, count, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (errno == EAGAIN || errno == EINTR || errno == ENOTCONN) return 0;
  sendFailed(errno);
}

std::size_t receiveSome(int fd, std::span<std::byte> into, bool discard) {
  const int flags = MSG_DONTWAIT | (discard ? MSG_TRUNC : 0);
  const ssize_t count = ::recv(fd, into.data(), into.size(), flags);
  if (count > 0) return static_cast<std::size_t>(count);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  receiveFailed(count == 0 ? 0 : errno);
}

void sendFailed(int error) { failed("sending to the server", error); }

void receiveFailed(int error) {
  if (error == 0) throw ServerFault("the server closed a connection");
  failed("receiving from the server", error);
}

bool waitFor(int fd, short events, int milliseconds) {
  pollfd entry{fd, events, 0};
  return ::poll(&entry, 1, milliseconds) == 1;
}

void closeWithReset(int fd) {
  const linger reset{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  ::close(fd);
}

EventSet::EventSet() : fd_(checked(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")) {}
EventSet::~EventSet() { ::close(fd_); }

void EventSet::add(int fd, std::uint32_t events, std::uint32_t index) {
  epoll_event event{events, {.u32 = index}};
  checked(::epoll_ctl(fd_, EPOLL_CTL_ADD, fd, &event), "epoll_ctl");
}

void EventSet::change(int fd, std::uint32_t events, std::uint32_t index) {
  epoll_event event{events, {.u32 = index}};
  checked(::epoll_ctl(fd_, EPOLL_CTL_MOD, fd, &event), "epoll_ctl");
}

std::span<const epoll_event> EventSet::wait(std::int64_t untilNs) {
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  const std::int64_t left = std::max<std::int64_t>(untilNs - monotonicNs(), 0);
  const timespec timeout{left / kNsPerSecond, left % kNsPerSecond};
  const int count = ::epoll_pwait2(fd_, events_, kEventsPerTurn, &timeout, nullptr);
  if (count < 0 && errno != EINTR) checked(count, "epoll_pwait2");
  return {events_, static_cast<std::size_t>(std::max(count, 0))};
}

}  // namespace penstock::compare
