// Resolver: host names to addresses, without stopping the loop.
#pragma once

#include <penstock/runtime/export.h>
#include <penstock/runtime/parts/per_process.h>
#include <penstock/runtime/parts/unique_function.h>
#include <penstock/transports/address.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace penstock {

class LookupQueue;
class Reactor;

// What a look-up found: an error, or at least one address, best first.
struct Resolution {
  std::error_code error;
  std::vector<Address> addresses;
};

// Looks one name up, and may block. Called by several threads at once. Ports are left 0. What it
// throws is logged, and is an error: of a std::system_error its code, else
// ConnectionError::kResolverFailed.
using HostLookup = std::function<Resolution(const std::string& host)>;

// getaddrinfo(3), with the errors of lookupError(). "localhost" has an address even where the
// system knows none (RFC 6761), as in a container without /etc/hosts.
PENSTOCK_API Resolution lookUpHost(const std::string& host);

// What a failure of getaddrinfo(3) means, for a HostLookup of one's own too: no such name
// (EAI_NONAME, EAI_NODATA, EAI_ADDRFAMILY) is ConnectionError::kUnresolved, EAI_AGAIN
// kUnresolvedForNow, EAI_MEMORY std::errc::not_enough_memory, EAI_SYSTEM `systemError` (errno), and
// all else kResolverFailed.
PENSTOCK_API std::error_code lookupError(int result, int systemError = 0) noexcept;

// Called once: falsy and the addresses with their port, or why there are none.
using ResolveHandler = UniqueFunction<void(std::error_code why, std::vector<Address> addresses)>;

// A look-up under way. Good until its handler was called or cancel() returned.
class PendingLookup {
 public:
  // Gives up: the handler is not called any more. What a thread has begun it finishes for nobody;
  // see ResolverOptions::mostAbandonedPerReactor.
  virtual void cancel() = 0;

 protected:
  ~PendingLookup() = default;
};

struct ResolverOptions {
  // What finds the addresses.
  HostLookup lookup = &lookUpHost;

  // How many look-ups run at once, each in a thread. Threads are started when needed, and kept.
  std::size_t threads = 16;

  // How many of them may be one reactor's. It never gets the last one, unless there is only one:
  // however slow its names are, another reactor can look up.
  std::size_t threadsPerReactor = 4;

  // More look-ups of one reactor than this may not wait: they are refused.
  std::size_t mostWaitingPerReactor = 1024;

  // A look-up that was given up, as by a connect whose time is over, cannot be taken from its
  // thread. It is not counted in the two numbers of threads above, so that others can run, up to so
  // many of one reactor; beyond, that reactor waits for them.
  std::size_t mostAbandonedPerReactor = 16;

  // All threads, with those of look-ups that were given up.
  std::size_t mostThreads = 64;
};

// Runs blocking look-ups on threads; any number of reactors may share one. The reactors are served
// in turn. Any thread may have one, and it may be used in a forked child, where it has threads of
// its own; look-ups that were under way are the parent's. A resolver must not be destroyed from
// inside a look-up. Twisted: ThreadedResolver, GAIResolver.
class PENSTOCK_API Resolver {
 public:
  // Throws std::invalid_argument for an empty look-up, or when something can never run.
  explicit Resolver(ResolverOptions options = {});
  explicit Resolver(HostLookup lookup);
  Resolver(HostLookup lookup, std::size_t threads);

  // Waits for the look-ups that run; those that wait fail with std::errc::operation_canceled.
  // In a forked child of the process that began them, it does neither.
  ~Resolver();

  // The one that is used unless told otherwise. It is never destroyed, so that the end of the
  // program does not wait for a name server. Any thread; a forked child has one of its own.
  static Resolver& shared();

  // Finds the addresses of `host`. `handler` is called by the loop of `reactor`, never from
  // inside this call; exceptions from it are logged. A numeric host takes no thread. When too
  // many wait it hears std::errc::resource_unavailable_try_again, and
  // ConnectionError::kLost when the reactor ends first. Throws std::invalid_argument for an empty
  // handler. Thread of `reactor` only.
  PendingLookup& resolve(Reactor& reactor, std::string host, std::uint16_t port,
                         ResolveHandler handler);

 private:
  class Open;

  const ResolverOptions options_;
  PerProcess<std::unique_ptr<Open>> open_;
};

}  // namespace penstock
