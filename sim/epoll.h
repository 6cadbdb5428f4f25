// Epoll: a simulated epoll instance.
#pragma once

#include <penstock/sim/file.h>
#include <penstock/sim/world.h>

#include <sys/epoll.h>

#include <functional>
#include <list>
#include <memory>
#include <span>
#include <vector>

namespace penstock::sim {

// Level-triggered and edge-triggered interest, on simulated files and on real descriptors. As in
// the kernel, an edge is any new event on the file, or adding or changing the interest; interest
// goes when the file does, not when the descriptor does.
class Epoll final : public File {
 public:
  explicit Epoll(World& world) : world_(world) {}

  // `file` is null for a real descriptor.
  int control(int operation, int fd, const std::shared_ptr<File>& file, const epoll_event* event);

  // What is to be reported now; the number of events.
  int collect(std::span<epoll_event> into);

  // Calls `visit` with each real descriptor of interest.
  void forEachReal(const std::function<void(int fd)>& visit) const;

 private:
  struct Entry {
    std::shared_ptr<Watch> watch;
    bool real;
  };

  std::list<Entry>::iterator find(int fd, const std::shared_ptr<File>& file);
  std::uint32_t reportOf(const Entry& entry) const;

  World& world_;
  std::list<Entry> entries_;  // In the order of their turn.
};

}  // namespace penstock::sim
