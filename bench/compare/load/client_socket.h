// The few socket calls of the load generator, with the errors that matter to it.
#pragma once

#include <penstock/bench/compare/load/load.h>

#include <sys/epoll.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace penstock::compare {

// A connected, non-blocking socket with TCP_NODELAY to 127.0.0.1:`port`; waits for the connection.
// `sourceAddress` (host byte order) of 0 leaves the choice to the kernel. Throws ServerFault.
int connectTo(std::uint16_t port, std::uint32_t sourceAddress = 0);

// A non-blocking socket whose connection has begun. Throws ServerFault.
int beginConnect(std::uint16_t port, std::uint32_t sourceAddress);

// Accepts one from the listening socket, non-blocking; waits up to 5 s. Throws ServerFault.
int acceptFrom(int listenFd);

// As many bytes as the kernel takes now; 0: none. Throws ServerFault when the server is gone.
std::size_t sendSome(int fd, const std::byte* bytes, std::size_t count);

// What is there, up to the size of `into`; 0: nothing now. Throws ServerFault at the end of the
// stream or when the server is gone. With `discard` the bytes are taken off the socket uncopied.
std::size_t receiveSome(int fd, std::span<std::byte> into, bool discard = false);

// Throw the ServerFault of a send or a receive that failed with `error`, 0 being the end.
[[noreturn]] void sendFailed(int error);
[[noreturn]] void receiveFailed(int error);

// Waits until `fd` is ready for `events` (poll.h), `milliseconds` at most; false: it is not.
bool waitFor(int fd, short events, int milliseconds);

// Closes with a reset, so that nothing lingers in TIME_WAIT.
void closeWithReset(int fd);

// Throws std::runtime_error with errno's meaning if `result` is negative.
int checked(int result, const char* call);

// An epoll set for the load generator.
class EventSet {
 public:
  EventSet();
  ~EventSet();
  EventSet(const EventSet&) = delete;
  EventSet& operator=(const EventSet&) = delete;

  void add(int fd, std::uint32_t events, std::uint32_t index);
  void change(int fd, std::uint32_t events, std::uint32_t index);

  // What is ready: waits until `untilNs` at most, not at all if that is past. `data.u32` is the
  // index given to add().
  std::span<const epoll_event> wait(std::int64_t untilNs);

 private:
  static constexpr int kEventsPerTurn = 256;

  int fd_;
  epoll_event events_[kEventsPerTurn];
};

}  // namespace penstock::compare
