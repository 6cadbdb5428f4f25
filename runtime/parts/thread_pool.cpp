#include <penstock/runtime/parts/thread_pool.h>

#include <signal.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace penstock {
namespace {

// A thread started while this lives blocks every signal: they are for the threads of the program.
class SignalsBlocked {
 public:
  SignalsBlocked() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

// The threads of one process and what they have to do.
class ThreadPool::Crew {
 public:
  Crew(std::size_t threads, std::size_t mostWaiting) noexcept
      : threadLimit_(threads), mostWaiting_(mostWaiting) {}
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  bool submit(Callback task);

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

ThreadPool::ThreadPool(std::size_t threads, std::size_t mostWaiting)
    : threads_(threads), mostWaiting_(mostWaiting) {
  if (threads == 0) throw std::invalid_argument("ThreadPool: it needs at least one thread");
}

ThreadPool::~ThreadPool() = default;

bool ThreadPool::submit(Callback task) {
  if (!task) throw std::invalid_argument("ThreadPool::submit: the task is empty");
  auto& crew = crew_.get([this] { return std::make_unique<Crew>(threads_, mostWaiting_); });
  return crew->submit(std::move(task));
}

ThreadPool::Crew::~Crew() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool ThreadPool::Crew::submit(Callback task) {
  const std::lock_guard lock(mutex_);
  const bool atOnce = waiting_.size() < idle_;
  if (!atOnce && !ensureThread() && waiting_.size() >= mostWaiting_) return false;
  if (threads_.empty()) return false;
  waiting_.push_back(std::move(task));
  changed_.notify_one();
  return true;
}

// True: a thread was started, which will take a task.
bool ThreadPool::Crew::ensureThread() {
  if (threads_.size() >= threadLimit_) return false;
  const SignalsBlocked blocked;
  try {
    threads_.emplace_back([this] { work(); });
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

void ThreadPool::Crew::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    --idle_;
    if (waiting_.empty()) return;
    Callback task = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    task();
    task = nullptr;  // Its end is part of it: not under the lock.
    lock.lock();
  }
}

}  // namespace penstock
