// Machine: what the simulated calls of all shapes share.
#pragma once

#include <penstock/sim/file.h>
#include <penstock/sim/network.h>
#include <penstock/sim/socket.h>
#include <penstock/sim/world.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

namespace penstock::sim {

// Descriptors, the network, the world with its time, and waiting. All with the lock held.
class Machine {
 public:
  using Lock = std::unique_lock<std::mutex>;

  Machine(std::uint64_t seed, const Faults& faults) : world(seed, faults) {}

  Lock lock() { return Lock(mutex_); }

  static bool isSimulated(int fd) noexcept;

  // The file of a simulated descriptor, or the socket, or null.
  std::shared_ptr<File> file(int fd) const;
  std::shared_ptr<Socket> socket(int fd) const;

  // A descriptor for `file`, or -EMFILE.
  int install(std::shared_ptr<File> file);
  int close(int fd);
  std::size_t openDescriptors() const;

  // accept4(2) on `listener`.
  int accept(Socket& listener, sockaddr* peer, socklen_t* length, int flags);

  // Turns the world until `ready()`; false after `timeout`. `watched` are the real descriptors
  // that may end the wait.
  bool await(Lock& lock, const std::function<bool()>& ready, std::optional<Duration> timeout,
             const std::vector<int>& watched);

  World world;
  Network network{world};
  std::set<int> events;  // The real descriptors made by eventfd().
  std::size_t descriptorLimit = 100'000;
  std::uint32_t ringFeatures = UINT32_MAX;
  unsigned largestRing = 32768;
  Duration deadlockPatience = std::chrono::seconds(10);

 private:
  bool outsideCanAct(const std::vector<int>& watched) const;
  void waitForOutside(Lock& lock, const std::vector<int>& watched);

  std::mutex mutex_;
  std::vector<std::shared_ptr<File>> files_;  // By descriptor.
};

}  // namespace penstock::sim
