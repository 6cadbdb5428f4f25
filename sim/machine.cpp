#include <penstock/sim/kernel.h>
#include <penstock/sim/machine.h>

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

namespace penstock::sim {
namespace {

bool otherThreads() {
  std::error_code error;
  const std::filesystem::directory_iterator tasks("/proc/self/task", error);
  return std::count_if(begin(tasks), end(tasks), [](const auto& task) {
           std::string name;
           std::getline(std::ifstream(task.path() / "comm"), name);
           return name != Kernel::kOnlooker;
         }) > 1;
}

}  // namespace

bool Machine::isSimulated(int fd) noexcept { return fd >= Kernel::kFirstDescriptor; }

std::shared_ptr<File> Machine::file(int fd) const {
  const auto index = static_cast<std::size_t>(fd - Kernel::kFirstDescriptor);
  return isSimulated(fd) && index < files_.size() ? files_[index] : nullptr;
}

std::shared_ptr<Socket> Machine::socket(int fd) const {
  return std::dynamic_pointer_cast<Socket>(file(fd));
}

// The lowest number that is free, as the kernel does: what is closed too early is met again.
int Machine::install(std::shared_ptr<File> file) {
  const auto free = std::ranges::find(files_, nullptr);
  const auto index = static_cast<std::size_t>(free - files_.begin());
  if (index >= descriptorLimit) return -EMFILE;
  if (free == files_.end()) {
    files_.push_back(std::move(file));
  } else {
    *free = std::move(file);
  }
  return Kernel::kFirstDescriptor + static_cast<int>(index);
}

// What the descriptor refers to ends here only if no request in flight uses it.
int Machine::close(int fd) {
  if (!file(fd)) {
    world.violation("close of descriptor " + std::to_string(fd) + ", which is not open");
    return -EBADF;
  }
  const std::shared_ptr<File> closed =
      std::move(files_[static_cast<std::size_t>(fd - Kernel::kFirstDescriptor)]);
  return 0;
}

std::size_t Machine::openDescriptors() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(files_, [](const auto& file) { return file != nullptr; }));
}

// Without a free descriptor the connection stays in the queue.
int Machine::accept(Socket& listener, sockaddr* peer, socklen_t* length, int flags) {
  if (listener.state() == Socket::State::kListening && !listener.hasConnections()) return -EAGAIN;
  if (const auto order = world.orders().take(Call::kAccept)) return -order->error;
  const int fd = install(std::make_shared<File>());
  if (fd < 0) return fd;
  auto [child, error] = listener.accept();
  if (!child) {
    close(fd);
    return error;
  }
  if (peer) child->copyName(child->remote, peer, length);
  child->nonBlocking = (flags & SOCK_NONBLOCK) != 0;
  files_[static_cast<std::size_t>(fd - Kernel::kFirstDescriptor)] = std::move(child);
  return fd;
}

bool Machine::await(Lock& lock, const std::function<bool()>& ready, std::optional<Duration> timeout,
                    const std::vector<int>& watched) {
  constexpr TimePoint kNever = TimePoint::max();
  const TimePoint deadline = timeout ? later(world.now(), *timeout) : kNever;
  const TimePoint limit = Clock::now() + deadlockPatience;
  for (;;) {
    world.step();
    if (ready()) return true;
    if (world.now() >= deadline) return false;
    if (world.expectsAction()) continue;
    if (ready()) return true;  // What was ready a moment ago may have made other things so.
    if (world.expectsAction()) continue;
    const TimePoint next = std::min(deadline, world.nextAlarm().value_or(kNever));
    if (next != kNever && !outsideCanAct(watched)) {
      world.advanceTo(next);
      continue;
    }
    waitForOutside(lock, watched);
    if (next != kNever || Clock::now() < limit) continue;
    world.violation("simulated deadlock: a wait without limit, and nothing can end it");
    return false;
  }
}

bool Machine::outsideCanAct(const std::vector<int>& watched) const {
  const auto isForeign = [this](int fd) { return !events.contains(fd); };
  return std::ranges::any_of(watched, isForeign) || otherThreads();
}

// Short, because other threads may change what is simulated without touching `watched`.
void Machine::waitForOutside(Lock& lock, const std::vector<int>& watched) {
  std::vector<pollfd> asked;
  for (const int fd : watched) asked.push_back({fd, POLLIN, 0});
  const TimePoint before = Clock::now();
  lock.unlock();
  ::poll(asked.data(), asked.size(), 1);
  lock.lock();
  world.advanceTo(world.now() + (Clock::now() - before));
}

}  // namespace penstock::sim
