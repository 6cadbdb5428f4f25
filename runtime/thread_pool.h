// ThreadPool: a few threads for work that blocks and has no other way.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/unique_function.h>

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace penstock {

// Runs tasks on threads of its own, started when first needed and kept. They take no signals.
// Twisted: ThreadPool.
class PENSTOCK_API ThreadPool {
 public:
  // At most `threads` of them; at most `mostWaiting` tasks may wait for one to be free.
  ThreadPool(std::size_t threads, std::size_t mostWaiting);

  // Runs what waits, waits for what runs, and joins the threads.
  ~ThreadPool();

  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // Any thread: queues `task`, which must not throw. False: refused, because too many wait or no
  // thread could be started.
  [[nodiscard]] bool submit(Callback task);

 private:
  bool ensureThread();
  void work();

  const std::size_t threadLimit_;
  const std::size_t mostWaiting_;
  std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  std::deque<Callback> waiting_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace penstock
