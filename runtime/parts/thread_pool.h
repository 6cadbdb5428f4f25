// ThreadPool: a few threads for work that blocks and has no other way.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/parts/per_process.h>
#include <penstock/runtime/parts/unique_function.h>

#include <cstddef>
#include <memory>

namespace penstock {

// Runs tasks on threads of its own, started when first needed and kept. They take no signals. In a
// forked child, where the threads are not, it starts anew: what was queued or running is the
// parent's. Twisted: ThreadPool.
class PENSTOCK_API ThreadPool {
 public:
  // At most `threads` of them; at most `mostWaiting` tasks may wait for one to be free. Throws
  // std::invalid_argument for no threads at all.
  ThreadPool(std::size_t threads, std::size_t mostWaiting);

  // Runs what waits, waits for what runs, and joins the threads; those of this process.
  ~ThreadPool();

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Any thread: queues `task`, which must not throw. False: refused, because too many wait or no
  // thread could be started. Throws std::invalid_argument for an empty task.
  [[nodiscard]] bool submit(Callback task);

 private:
  class Crew;

  const std::size_t threads_;
  const std::size_t mostWaiting_;
  PerProcess<std::unique_ptr<Crew>> crew_;
};

}  // namespace penstock
