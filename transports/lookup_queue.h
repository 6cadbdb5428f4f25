// LookupQueue: which look-up runs next, so that no reactor can keep the others from theirs.
#pragma once

#include <penstock/runtime/parts/thread_pool.h>
#include <penstock/transports/resolver.h>

#include <sys/types.h>

#include <cstddef>
#include <deque>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

namespace penstock {

class Reactor;
struct Lookup;

// Who is told, in the thread of its reactor.
class LookupClient {
 public:
  // `thrown`: what the look-up threw, if it did.
  virtual void lookedUp(Resolution result, std::exception_ptr thrown) noexcept = 0;

 protected:
  ~LookupClient() = default;
};

// Those of one resolver in one process. Any thread.
class LookupQueue {
 public:
  explicit LookupQueue(const ResolverOptions& options);
  LookupQueue(const LookupQueue&) = delete;
  LookupQueue& operator=(const LookupQueue&) = delete;

  // Looks `host` up for `client`; null: too many of this reactor wait.
  std::shared_ptr<Lookup> submit(Reactor& reactor, LookupClient& client, std::string host);

  // The client is not told any more; when this returns no thread knows its reactor. One that
  // waits is forgotten. One that runs goes on for nobody, and others need not wait for it. In a
  // forked child of the process that submitted it, this does nothing.
  void abandon(Lookup& lookup) noexcept;

  // Fails what waits, and waits for what runs.
  void close() noexcept;

 private:
  // The look-ups of one reactor.
  struct Lane {
    Reactor* reactor;
    std::deque<std::shared_ptr<Lookup>> waiting;
    std::size_t running = 0;    // Those that are wanted.
    std::size_t abandoned = 0;  // Those that run for nobody.
  };
  friend struct Lookup;

  void work(std::shared_ptr<Lookup> lookup) noexcept;
  void workLater() noexcept;
  bool passOn(std::shared_ptr<Lookup>& lookup);

  // With the mutex held.
  bool tell(const std::shared_ptr<Lookup>& lookup);
  Lane& laneOf(Reactor& reactor);
  Lane* laneToServe() noexcept;
  std::size_t allowed() const noexcept;
  bool mayRunOneMore(const Lane& lane) const noexcept;
  void startMore() noexcept;
  void replaceThread() noexcept;
  bool start(Lane& lane) noexcept;
  std::shared_ptr<Lookup> begin(Lane& lane) noexcept;
  std::shared_ptr<Lookup> beginNext() noexcept;
  void ended(Lookup& lookup) noexcept;
  void forget(Lookup& lookup) noexcept;
  void dropIdleLanes() noexcept;

  const ResolverOptions options_;
  const pid_t process_;
  std::mutex mutex_;           // Guards what follows.
  std::list<Lane> lanes_;      // Of reactors with look-ups; the next to be served first.
  std::size_t active_ = 0;     // Look-ups that run or are about to.
  std::size_t abandoned_ = 0;  // Of those, the ones that run for nobody.
  bool closing_ = false;
  std::unique_ptr<ThreadPool> pool_;  // Not guarded: gone once close() has returned.
};

}  // namespace penstock
