// Sockets: the load generator's connections, and the one place where it waits for them.
#pragma once

#include <penstock/bench/compare/cell.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace penstock::compare {

// Moves the bytes of many connections through one interface of the kernel. There are two: io_uring,
// which enters the kernel once for a whole batch, so that the client is less often the limit, and
// epoll, as most programs use it. Closes the connections, with a reset, when it ends.
class Sockets {
 public:
  // What becomes of the bytes. May call send(), and may throw.
  class Events {
   public:
    // All bytes of the last send() have gone; `index` may send again.
    virtual void sent(std::uint32_t index) = 0;
    virtual void received(std::uint32_t index, std::span<const std::byte> bytes) = 0;

   protected:
    ~Events() = default;
  };

  virtual ~Sockets() = default;
  Sockets(const Sockets&) = delete;
  Sockets& operator=(const Sockets&) = delete;

  // Owns the connected socket `fd` from now on; the first one has index 0, and so on. It is read
  // once something was sent on it.
  virtual void add(int fd) = 0;

  // One at a time for each index: the next may follow once sent() was called, which may happen in
  // here, or as late as something else happens. `bytes` stay where they are until then. Throws
  // ServerFault when the server is gone.
  virtual void send(std::uint32_t index, std::span<const std::byte> bytes) = 0;

  // Handles what has happened; waits for it until `untilNs` (CLOCK_MONOTONIC) at most. Throws
  // ServerFault when the server has ended a connection.
  virtual void turn(std::int64_t untilNs) = 0;

 protected:
  Sockets() = default;
};

// The best that works here.
std::string_view bestClient();
// Whether `engine` is one and works here.
bool clientWorks(std::string_view engine);

// `mostAtOnce`: as many bytes are under way at most on one connection, if that is known; a hint.
// Throws std::runtime_error if `engine` does not work here.
std::unique_ptr<Sockets> makeSockets(std::string_view engine, Sockets::Events& events,
                                     std::size_t mostAtOnce);

}  // namespace penstock::compare
