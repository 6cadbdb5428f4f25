// Resolver: host names to addresses, without stopping the loop.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/thread_pool.h>
#include <penstock/runtime/unique_function.h>
#include <penstock/transports/address.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <system_error>
#include <vector>

namespace penstock {

class Reactor;

// What a look-up found: an error, or at least one address, best first.
struct Resolution {
  std::error_code error;
  std::vector<Address> addresses;
};

// Looks one name up, and may block. Called by several threads at once. Ports are left 0.
using HostLookup = std::function<Resolution(const std::string& host)>;

// getaddrinfo(3). A name without addresses is ConnectionError::kUnresolved. "localhost" has one
// even where the system knows none (RFC 6761), as in a container without /etc/hosts.
PENSTOCK_API Resolution lookUpHost(const std::string& host);

// Called once: falsy and the addresses with their port, or why there are none.
using ResolveHandler = UniqueFunction<void(std::error_code why, std::vector<Address> addresses)>;

// A look-up under way. Good until its handler was called or cancel() returned.
class PendingLookup {
 public:
  // The handler is not called any more. What a thread has begun it finishes for nobody.
  virtual void cancel() = 0;

 protected:
  ~PendingLookup() = default;
};

// Runs blocking look-ups on a few threads; any number of reactors may share one. A resolver must
// not be destroyed from inside a look-up. Twisted: ThreadedResolver, GAIResolver.
class PENSTOCK_API Resolver {
 public:
  static constexpr std::size_t kThreads = 4;
  static constexpr std::size_t kMostWaiting = 1024;  // More look-ups than this are refused.

  explicit Resolver(HostLookup lookup = &lookUpHost, std::size_t threads = kThreads);

  // Waits for the look-ups that run; those that wait fail with std::errc::operation_canceled.
  ~Resolver();

  // The one that is used unless told otherwise. It is never destroyed, so that the end of the
  // program does not wait for a name server. Any thread.
  static Resolver& shared();

  // Finds the addresses of `host`. `handler` is called by the loop of `reactor`, never from
  // inside this call; exceptions from it are logged. A numeric host takes no thread. When too
  // many wait it hears std::errc::resource_unavailable_try_again, and
  // ConnectionError::kLost when the reactor ends first. Thread of `reactor` only.
  PendingLookup& resolve(Reactor& reactor, std::string host, std::uint16_t port,
                         ResolveHandler handler);

 private:
  HostLookup lookup_;
  std::atomic<bool> closing_{false};
  ThreadPool pool_;  // Last: its end runs tasks that use the others.
};

}  // namespace penstock
