#include <penstock/runtime/thread_pool.h>

#include <signal.h>

#include <system_error>
#include <utility>

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

ThreadPool::ThreadPool(std::size_t threads, std::size_t mostWaiting)
    : threadLimit_(threads), mostWaiting_(mostWaiting) {}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool ThreadPool::submit(Callback task) {
  const std::lock_guard lock(mutex_);
  const bool atOnce = waiting_.size() < idle_;
  if (!atOnce && !ensureThread() && waiting_.size() >= mostWaiting_) return false;
  if (threads_.empty()) return false;
  waiting_.push_back(std::move(task));
  changed_.notify_one();
  return true;
}

// True: a thread was started, which will take a task.
bool ThreadPool::ensureThread() {
  if (threads_.size() >= threadLimit_) return false;
  const SignalsBlocked blocked;
  try {
    threads_.emplace_back([this] { work(); });
    return true;
  } catch (const std::system_error&) {
    return false;
  }
}

void ThreadPool::work() {
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
