#include <penstock/sim/epoll.h>
#include <penstock/sim/kernel.h>
#include <penstock/sim/ring_calls.h>
#include <penstock/tests/support/hang_guard.h>

#include <poll.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>

namespace penstock::sim {

namespace {

// The guard of the test program only watches, so it does not count.
bool otherThreads() {
  std::error_code error;
  const std::filesystem::directory_iterator tasks("/proc/self/task", error);
  return std::count_if(begin(tasks), end(tasks), [](const auto& task) {
           std::string name;
           std::getline(std::ifstream(task.path() / "comm"), name);
           return name != testing::HangGuard::kThreadName;
         }) > 1;
}

}  // namespace

Kernel::Kernel(std::uint64_t seed, const Faults& faults)
    : world_(seed, faults), ringFeatures_(std::numeric_limits<std::uint32_t>::max()) {}

Kernel::~Kernel() = default;

void Kernel::setFaults(const Faults& faults) {
  const Lock lock(mutex_);
  world_.faults() = faults;
}

std::pair<OwnedFd, OwnedFd> Kernel::pair(int flags, int domain) {
  const Lock lock(mutex_);
  std::array<OwnedFd, 2> fds;
  std::array<std::shared_ptr<Socket>, 2> sockets;
  for (std::size_t i = 0; i < 2; ++i) {
    sockets[i] = std::make_shared<Socket>(world_, domain);
    sockets[i]->nonBlocking = (flags & SOCK_NONBLOCK) != 0;
    fds[i].reset(install(sockets[i]));
  }
  Socket::join(*sockets[0], *sockets[1]);
  return {std::move(fds[0]), std::move(fds[1])};
}

void Kernel::exempt(int fd) {
  const Lock lock(mutex_);
  if (const auto socket = socketOf(fd)) socket->exempt = true;
}

void Kernel::breakConnection(int fd) {
  const Lock lock(mutex_);
  if (const auto socket = socketOf(fd)) socket->breakDown();
}

void Kernel::setDescriptorLimit(std::size_t limit) {
  const Lock lock(mutex_);
  descriptorLimit_ = limit;
}

void Kernel::failAccepts(int error, std::size_t times) {
  const Lock lock(mutex_);
  acceptError_ = error;
  acceptFailures_ = times;
}

std::size_t Kernel::openDescriptors() {
  const Lock lock(mutex_);
  return static_cast<std::size_t>(
      std::ranges::count_if(files_, [](const auto& file) { return file != nullptr; }));
}

void Kernel::setDeadlockPatience(Duration patience) {
  const Lock lock(mutex_);
  deadlockPatience_ = patience;
}

void Kernel::onViolation(World::Violation handler) {
  const Lock lock(mutex_);
  world_.onViolation(std::move(handler));
}

TimePoint Kernel::now() noexcept {
  const Lock lock(mutex_);
  return world_.now();
}

// --- Descriptors
// -----------------------------------------------------------------------------------

std::shared_ptr<File> Kernel::file(int fd) const {
  const auto index = static_cast<std::size_t>(fd - kFirstDescriptor);
  return isSimulated(fd) && index < files_.size() ? files_[index] : nullptr;
}

std::shared_ptr<Socket> Kernel::socketOf(int fd) const {
  return std::dynamic_pointer_cast<Socket>(file(fd));
}

// The lowest number that is free, as the kernel does: what is closed too early is met again.
int Kernel::install(std::shared_ptr<File> file) {
  const auto free = std::ranges::find(files_, nullptr);
  const auto index = static_cast<std::size_t>(free - files_.begin());
  if (index >= descriptorLimit_) return -EMFILE;
  if (free == files_.end()) {
    files_.push_back(std::move(file));
  } else {
    *free = std::move(file);
  }
  return kFirstDescriptor + static_cast<int>(index);
}

int Kernel::close(int fd) noexcept {
  const Lock lock(mutex_);
  if (isSimulated(fd)) return closeHeld(fd);
  events_.erase(fd);
  return penstock::DescriptorCalls::close(fd);
}

// What the descriptor refers to ends here only if no request in flight uses it.
int Kernel::closeHeld(int fd) {
  if (!file(fd)) {
    world_.violation("close of descriptor " + std::to_string(fd) + ", which is not open");
    return -EBADF;
  }
  const std::shared_ptr<File> closed =
      std::move(files_[static_cast<std::size_t>(fd - kFirstDescriptor)]);
  return 0;
}

int Kernel::setNonBlocking(int fd, bool nonBlocking) noexcept {
  if (!isSimulated(fd)) return penstock::DescriptorCalls::setNonBlocking(fd, nonBlocking);
  const Lock lock(mutex_);
  const std::shared_ptr<File> changed = file(fd);
  if (!changed) return -EBADF;
  changed->nonBlocking = nonBlocking;
  return 0;
}

// Nothing is exec'ed here.
int Kernel::setCloseOnExec(int fd) noexcept {
  if (!isSimulated(fd)) return penstock::DescriptorCalls::setCloseOnExec(fd);
  const Lock lock(mutex_);
  return file(fd) ? 0 : -EBADF;
}

int Kernel::openReserve() noexcept {
  const Lock lock(mutex_);
  return install(std::make_shared<File>());
}

int Kernel::eventfd() noexcept {
  const int fd = penstock::PollCalls::eventfd();
  const Lock lock(mutex_);
  if (fd >= 0) events_.insert(fd);
  return fd;
}

// --- Readiness
// -------------------------------------------------------------------------------------

int Kernel::epollCreate() noexcept {
  const Lock lock(mutex_);
  return install(std::make_shared<Epoll>(world_));
}

int Kernel::epollCtl(int epoll, int operation, int fd, epoll_event* event) noexcept {
  if (!isSimulated(epoll)) return penstock::PollCalls::epollCtl(epoll, operation, fd, event);
  const Lock lock(mutex_);
  const auto instance = std::dynamic_pointer_cast<Epoll>(file(epoll));
  if (!instance || (isSimulated(fd) && !file(fd))) return -EBADF;
  return instance->control(operation, fd, file(fd), event);
}

int Kernel::epollWait(int epoll, std::span<epoll_event> events,
                      std::optional<Duration> timeout) noexcept {
  if (!isSimulated(epoll)) return penstock::PollCalls::epollWait(epoll, events, timeout);
  Lock lock(mutex_);
  const auto instance = std::dynamic_pointer_cast<Epoll>(file(epoll));
  if (!instance) return -EBADF;
  if (world_.chance(world_.faults().interrupted)) {
    world_.step();
    return -EINTR;
  }
  std::vector<int> watched;
  instance->forEachReal([&](int fd) { watched.push_back(fd); });
  int count = 0;
  await(
      lock, [&] { return (count = instance->collect(events)) > 0; }, timeout, watched);
  return count;
}

// --- Waiting
// ---------------------------------------------------------------------------------------

bool Kernel::await(Lock& lock, const std::function<bool()>& ready, std::optional<Duration> timeout,
                   const std::vector<int>& watched) {
  constexpr TimePoint kNever = TimePoint::max();
  const TimePoint start = world_.now();
  const TimePoint deadline = timeout && *timeout < kNever - start ? start + *timeout : kNever;
  const TimePoint limit = penstock::ClockCalls::now() + deadlockPatience_;
  for (;;) {
    world_.step();
    if (ready()) return true;
    if (world_.now() >= deadline) return false;
    if (world_.expectsAction()) continue;
    if (ready()) return true;  // What was ready a moment ago may have made other things so.
    if (world_.expectsAction()) continue;
    const TimePoint next = std::min(deadline, world_.nextAlarm().value_or(kNever));
    if (next != kNever && !outsideCanAct(watched)) {
      world_.advanceTo(next);
      continue;
    }
    waitForOutside(lock, watched);
    if (next != kNever || penstock::ClockCalls::now() < limit) continue;
    world_.violation("simulated deadlock: a wait without limit, and nothing can end it");
    return false;
  }
}

bool Kernel::outsideCanAct(const std::vector<int>& watched) const {
  const auto isForeign = [this](int fd) { return !events_.contains(fd); };
  return std::ranges::any_of(watched, isForeign) || otherThreads();
}

// Short, because other threads may change what is simulated without touching `watched`.
void Kernel::waitForOutside(Lock& lock, const std::vector<int>& watched) {
  std::vector<pollfd> asked;
  for (const int fd : watched) asked.push_back({fd, POLLIN, 0});
  const TimePoint before = penstock::ClockCalls::now();
  lock.unlock();
  ::poll(asked.data(), asked.size(), 1);
  lock.lock();
  world_.advanceTo(world_.now() + (penstock::ClockCalls::now() - before));
}

Kernel& kernelInPlace() { return dynamic_cast<Kernel&>(socketCalls()); }

}  // namespace penstock::sim
