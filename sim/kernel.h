// Kernel: a kernel in memory, for the real FileDescriptor and FileHandle to run on.
#pragma once

#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/system/clock_calls.h>
#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/runtime/system/pipe_calls.h>
#include <penstock/runtime/system/poll_calls.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/sim/faults.h>
#include <penstock/sim/file.h>
#include <penstock/sim/network.h>
#include <penstock/sim/socket.h>
#include <penstock/sim/world.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace penstock::sim {

// Stands in for all system calls of both families: stream sockets, epoll instances and rings are
// simulated and have descriptors of kFirstDescriptor or more; other descriptors are real, and
// calls on them go to the real kernel. Epoll instances and rings can watch real ones too.
//
// Time is virtual: a wait with nothing to happen jumps to its deadline. It passes at its real pace
// while something outside could end the wait: another thread of the process, or a real descriptor
// that is watched (other than a loop's own eventfd). A wait without any deadline that nothing ends
// is a violation, "simulated deadlock".
//
// The library's use of the kernel is checked as well: freed memory under a request, two sends in
// flight on one socket, bytes that change during a send, requests in flight at the end of a ring.
// Such a violation ends the program with a message.
//
// Synchronous calls never block, whatever the descriptor's mode: a test that receives by itself
// gets -EAGAIN and turns the loop. All calls may come from any thread.
class Kernel final : public DescriptorCalls,
                     public SocketCalls,
                     public PipeCalls,
                     public PollCalls,
                     public ClockCalls {
 public:
  static constexpr int kFirstDescriptor = 1'000'000;

  Kernel(std::uint64_t seed, const Faults& faults);
  ~Kernel() override;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  // --- For tests ---------------------------------------------------------------------------------

  void setFaults(const Faults& faults);

  // A connected pair, as socketpair(2) makes it.
  std::pair<OwnedFd, OwnedFd> pair(int flags, int domain = AF_UNIX);

  // Synchronous calls on `fd`, the test's own end of something, suffer no faults.
  void exempt(int fd);

  // Both ends of a connection lose it.
  void breakConnection(int fd);

  // How many simulated descriptors there may be: beyond, EMFILE.
  void setDescriptorLimit(std::size_t limit);
  std::size_t openDescriptors();

  // The next `times` accepts of a connection that waits fail with `error` instead; it goes on
  // waiting.
  void failAccepts(int error, std::size_t times);

  // What RingCalls::features() answers; all features at first.
  void setRingFeatures(std::uint32_t features) noexcept { ringFeatures_ = features; }
  std::uint32_t ringFeatures() const noexcept { return ringFeatures_; }

  // The most entries of a ring that locked memory allows: beyond, ENOMEM.
  void setLargestRing(unsigned entries) noexcept { largestRing_ = entries; }
  unsigned largestRing() const noexcept { return largestRing_; }

  // How long, in real time, a wait without limit goes on before it counts as a deadlock.
  void setDeadlockPatience(Duration patience);

  // Called with a violation instead of ending the program. It must not call the kernel.
  void onViolation(World::Violation handler);

  // --- The system calls --------------------------------------------------------------------------

  int socket(int domain, int type, int protocol) noexcept override;
  int bind(int fd, const sockaddr* address, socklen_t length) noexcept override;
  int listen(int fd, int backlog) noexcept override;
  int connect(int fd, const sockaddr* address, socklen_t length) noexcept override;
  int accept4(int fd, sockaddr* peer, socklen_t* length, int flags) noexcept override;
  int getsockname(int fd, sockaddr* address, socklen_t* length) noexcept override;
  int getpeername(int fd, sockaddr* address, socklen_t* length) noexcept override;
  int setsockopt(int fd, int level, int name, const void* value, socklen_t n) noexcept override;
  int getsockopt(int fd, int level, int name, void* value, socklen_t* n) noexcept override;
  int setNonBlocking(int fd, bool nonBlocking) noexcept override;
  int setCloseOnExec(int fd) noexcept override;
  int shutdown(int fd, int how) noexcept override;
  int close(int fd) noexcept override;
  ssize_t recv(int fd, MutableBytes into, int flags) noexcept override;
  ssize_t sendmsg(int fd, std::span<const iovec> from, int flags) noexcept override;
  ssize_t splice(int from, int to, std::size_t most) noexcept override;  // Pipes are real.
  int epollCreate() noexcept override;
  int epollCtl(int epoll, int operation, int fd, epoll_event* event) noexcept override;
  int epollWait(int epoll, std::span<epoll_event> events,
                std::optional<Duration> timeout) noexcept override;
  int eventfd() noexcept override;  // A real one: other threads and signal handlers write to it.
  int openReserve() noexcept override;
  TimePoint now() noexcept override;

  // --- For the parts of the simulation; with the mutex held --------------------------------------

  std::mutex& mutex() noexcept { return mutex_; }
  World& world() noexcept { return world_; }
  Network& network() noexcept { return network_; }

  // The file of a simulated descriptor, or null.
  std::shared_ptr<File> file(int fd) const;

  // A descriptor for `file`, or -EMFILE.
  int install(std::shared_ptr<File> file);
  int accept(Socket& listener, sockaddr* peer, socklen_t* length, int flags);
  int closeHeld(int fd);

  // Turns the world until `ready()`; false after `timeout`. `watched` are the real descriptors
  // that may end the wait.
  bool await(std::unique_lock<std::mutex>& lock, const std::function<bool()>& ready,
             std::optional<Duration> timeout, const std::vector<int>& watched);

 private:
  using Lock = std::unique_lock<std::mutex>;

  static bool isSimulated(int fd) noexcept { return fd >= kFirstDescriptor; }
  std::shared_ptr<Socket> socketOf(int fd) const;
  ssize_t receive(Socket& socket, MutableBytes into, int flags);
  ssize_t send(Socket& socket, std::span<const iovec> from);
  ssize_t spliceFrom(Socket& socket, int pipe, std::size_t most);
  ssize_t spliceTo(Socket& socket, int pipe, std::size_t most);
  bool outsideCanAct(const std::vector<int>& watched) const;
  void waitForOutside(Lock& lock, const std::vector<int>& watched);
  int copyName(const Name& name, int domain, sockaddr* address, socklen_t* length) const;

  std::mutex mutex_;
  World world_;
  Network network_{world_};
  std::vector<std::shared_ptr<File>> files_;  // By descriptor.
  std::size_t descriptorLimit_ = 100'000;
  int acceptError_ = 0;
  std::size_t acceptFailures_ = 0;  // That are still to come.
  Duration deadlockPatience_ = std::chrono::seconds(10);
  std::set<int> events_;  // The real descriptors made by eventfd().
  std::atomic<std::uint32_t> ringFeatures_;
  std::atomic<unsigned> largestRing_ = 32768;
};

// Makes a simulated kernel the one of this process, for both families, in place of any before it:
// no reactor may be left of that one. It is there until the next call.
Kernel& installKernel(std::uint64_t seed, Faults faults = Faults::benign());

// The one that is in place. Throws std::bad_cast if there is none.
Kernel& kernelInPlace();

}  // namespace penstock::sim
