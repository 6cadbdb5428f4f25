#include <penstock/sim/epoll.h>
#include <penstock/sim/poll_calls.h>

#include <cerrno>
#include <memory>
#include <vector>

namespace penstock::sim {

int PollCalls::epollCreate() noexcept {
  const auto lock = machine_.lock();
  return machine_.install(std::make_shared<Epoll>(machine_.world));
}

int PollCalls::epollCtl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  if (!Machine::isSimulated(epoll)) return Real::epollCtl(epoll, operation, fd, event);
  const auto lock = machine_.lock();
  const auto instance = std::dynamic_pointer_cast<Epoll>(machine_.file(epoll));
  const std::shared_ptr<File> file = machine_.file(fd);
  if (!instance || (Machine::isSimulated(fd) && !file)) return -EBADF;
  return instance->control(operation, fd, file, event);
}

int PollCalls::epollWait(int epoll, std::span<epoll_event> events,
                         std::optional<Duration> timeout) noexcept {
  if (!Machine::isSimulated(epoll)) return Real::epollWait(epoll, events, timeout);
  auto lock = machine_.lock();
  World& world = machine_.world;
  const auto instance = std::dynamic_pointer_cast<Epoll>(machine_.file(epoll));
  if (!instance) return -EBADF;
  if (world.chance(world.faults().interrupted)) {
    world.step();
    return -EINTR;
  }
  std::vector<int> watched;
  instance->forEachReal([&](int fd) { watched.push_back(fd); });
  int count = 0;
  const auto ready = [&] { return (count = instance->collect(events)) > 0; };
  machine_.await(lock, ready, timeout, watched);
  return count;
}

int PollCalls::eventfd() noexcept {
  const int fd = Real::eventfd();
  const auto lock = machine_.lock();
  if (fd >= 0) machine_.events.insert(fd);
  return fd;
}

}  // namespace penstock::sim
