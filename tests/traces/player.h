// A transport of one family over an operating system that does what a recording says.
#pragma once

#include <penstock/tests/traces/application.h>
#include <penstock/tests/traces/trace.h>

#include <penstock/runtime/core/connection.h>

#include <cstddef>
#include <memory>

namespace penstock::traces {

// Owns the reactor and stands in for the kernel under it; one at a time in a process. What the
// kernel sees is noted at the application, like all other effects.
class Player {
 public:
  Player() = default;
  Player(const Player&) = delete;
  Player& operator=(const Player&) = delete;
  virtual ~Player() = default;

  virtual Connection& connection() noexcept = 0;

  // The connection is made; once.
  virtual void connect() = 0;

  // Lets happen what the operating system did in `step`, going by its recorded effects; without
  // the input that it brought unless `withInput`.
  virtual void play(const Step& step, bool withInput) = 0;

  // Ends the reactor and complains of what the kernel was left with. The connection is gone.
  virtual void finish() = 0;

  // What has left and what was taken in, in bytes.
  virtual std::size_t sent() const noexcept = 0;
  virtual std::size_t kernelRead() const noexcept = 0;
};

std::unique_ptr<Player> makeEpollPlayer(Application& application);

// Only where the library was built with io_uring.
std::unique_ptr<Player> makeUringPlayer(Application& application);

}  // namespace penstock::traces
