// sim::Kernel: a kernel in memory, for services and their tests to run on.
#pragma once

#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/time.h>
#include <penstock/sim/faults.h>

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace penstock::sim {

struct KernelParts;

// While it is there, the reactors of this process, of either family, run on it and not on the real
// kernel: everything above the system calls is the code that runs in production. The same seed, the
// same faults and the same program give the same run.
//
// Simulated are stream sockets (TCP on the loopback addresses of IPv4 and IPv6, and UNIX sockets),
// epoll instances, rings of io_uring, and the clock. They have descriptors of kFirstDescriptor or
// more. All else is real: other descriptors, on which calls go to the real kernel, and which a loop
// may watch too; pipes; the files of UNIX sockets; name lookups; threads; signals. Elsewhere than
// on loopback nobody ever answers, so what connects there meets its timeout.
//
// Time is virtual: a wait with nothing to happen jumps to its deadline, so an hour of timeouts
// takes a millisecond. It passes at its real pace while something outside could end the wait:
// another thread of the process, or a real descriptor that is watched (other than a loop's own
// eventfd). A wait without limit that nothing ends is a violation, "simulated deadlock".
//
// What the library and its user owe the kernel is checked as well: memory freed under a request,
// two sends in flight on one socket, bytes that change while they are sent, descriptors closed
// twice, requests in flight at the end of a ring. A violation ends the program with a message on
// stderr.
//
// Two reactors are connected as on a real kernel, by an address that one listens at; in one thread,
// take turns with iterate(Duration::zero()). A connection whose far end the test plays itself is a
// Peer (penstock/sim/peer.h).
//
// Made before any reactor, and destroyed after all of them and after every descriptor; then what
// was there before is in place again. One that is made while another is there takes its place until
// it is destroyed. All functions may be called from any thread, and from callbacks of a reactor.
class Kernel {
 public:
  static constexpr int kFirstDescriptor = 1'000'000;

  // A thread of this name (pthread_setname_np) takes no part in what happens: a watchdog, say. Time
  // does not slow down for it.
  static constexpr const char* kOnlooker = "onlooker";

  // `seed` decides everything that is left to chance.
  explicit Kernel(std::uint64_t seed, const Faults& faults = Faults::benign());
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  // The virtual time; Reactor::now() is the same.
  TimePoint now() const;

  // A connected pair, as socketpair(2) makes it; AF_INET behaves as TCP does. `flags` are those of
  // Reactor::socketFlags() for an end that a reactor gets.
  std::pair<OwnedFd, OwnedFd> pair(int flags, int domain = AF_UNIX);

  // --- What goes wrong ---------------------------------------------------------------------------

  // By chance, from now on.
  void setFaults(const Faults& faults);

  // The next `times` calls of `kind` that could be carried out fail with `error` (ECONNREFUSED)
  // instead. Connections and bytes stay where they are: the call after those finds them. Takes the
  // place of what was ordered for `kind` before; 0 times: nothing is ordered any more. A
  // cancellation that fails (EALREADY) leaves what it was for in flight, to complete by itself;
  // multishot requests, which would not, are cancelled all the same.
  void failNext(Call kind, int error, std::size_t times = 1);

  // The next connect (of TCP) reaches its listener so much later; the bytes of the next send arrive
  // so much later, and those that the next receive would find. Throws std::invalid_argument for
  // other kinds.
  void delayNext(Call kind, Duration delay);

  // The next send takes at most `bytes`; the next receive finds at most so many, and the rest a
  // moment later. Throws std::invalid_argument for other kinds, and for 0 bytes.
  void cutNext(Call kind, std::size_t bytes);

  // The other end of the connection of `fd` may send so many bytes more, as to a reader whose
  // buffers are small or full; SIZE_MAX, as at first: whatever there is room for.
  void setWindow(int fd, std::size_t bytes);

  // The next wait of epoll reports exactly `events` of `fd`, if it is watched for them, whatever is
  // so: kernels report readiness that is gone when one comes for it.
  void reportInstead(int fd, std::uint32_t events);

  // Both ends of the connection that `fd` is an end of lose it.
  void breakConnection(int fd);

  // The calls that a test makes itself on `fd`, its own end of something, suffer no faults. Peers
  // are exempt.
  void exempt(int fd);

  // --- What there is -----------------------------------------------------------------------------

  // How many simulated descriptors there may be: beyond, EMFILE. And how many there are.
  void setDescriptorLimit(std::size_t limit);
  std::size_t openDescriptors() const;

  // Whether the kernel has the features of io_uring: bits of uring::Feature, all at first.
  void setRingFeatures(std::uint32_t features);

  // The most entries of a ring that locked memory allows: beyond, ENOMEM.
  void setLargestRing(unsigned entries);

  // --- What must not happen ----------------------------------------------------------------------

  // How long, in real time, a wait without limit goes on before it counts as a deadlock; 10 s at
  // first.
  void setDeadlockPatience(Duration patience);

  // Calls `handler` with a violation instead of ending the program. It must not call the kernel.
  void onViolation(std::function<void(const std::string& what)> handler);

 private:
  std::unique_ptr<KernelParts> parts_;
};

}  // namespace penstock::sim
