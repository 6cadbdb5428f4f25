#include <penstock/runtime/system/system_calls.h>
#include <penstock/sim/clock_calls.h>
#include <penstock/sim/descriptor_calls.h>
#include <penstock/sim/kernel.h>
#include <penstock/sim/machine.h>
#include <penstock/sim/pipe_calls.h>
#include <penstock/sim/poll_calls.h>
#include <penstock/sim/socket_calls.h>

#ifdef PENSTOCK_WITH_URING
#include <penstock/sim/ring_calls.h>
#endif

#include <array>
#include <stdexcept>

namespace penstock::sim {

// The machine, its calls of each shape, and what they stand in for.
struct KernelParts {
  KernelParts(std::uint64_t seed, const Faults& faults) : machine(seed, faults) {}

  Machine machine;
  DescriptorCalls descriptor{machine};
  SocketCalls socket{machine};
  PipeCalls pipe{machine};
  PollCalls poll{machine};
  ClockCalls clock{machine};
  SystemCalls callsBefore;
#ifdef PENSTOCK_WITH_URING
  RingCalls ring{machine};
  uring::RingCalls* ringBefore = nullptr;
#endif
};

Kernel::Kernel(std::uint64_t seed, const Faults& faults)
    : parts_(std::make_unique<KernelParts>(seed, faults)) {
  KernelParts& p = *parts_;
  p.callsBefore = replaceSystemCalls({&p.descriptor, &p.socket, &p.pipe, &p.poll, &p.clock});
#ifdef PENSTOCK_WITH_URING
  p.ringBefore = uring::replaceRingCalls(&p.ring);
#endif
}

Kernel::~Kernel() {
  replaceSystemCalls(parts_->callsBefore);
#ifdef PENSTOCK_WITH_URING
  uring::replaceRingCalls(parts_->ringBefore);
#endif
}

TimePoint Kernel::now() const { return parts_->clock.now(); }

std::pair<OwnedFd, OwnedFd> Kernel::pair(int flags, int domain) {
  Machine& machine = parts_->machine;
  const auto lock = machine.lock();
  std::array<OwnedFd, 2> fds;
  std::array<std::shared_ptr<Socket>, 2> sockets;
  for (std::size_t i = 0; i < 2; ++i) {
    sockets[i] = std::make_shared<Socket>(machine.world, domain);
    sockets[i]->nonBlocking = (flags & SOCK_NONBLOCK) != 0;
    fds[i].reset(machine.install(sockets[i]));
  }
  Socket::join(*sockets[0], *sockets[1]);
  return {std::move(fds[0]), std::move(fds[1])};
}

void Kernel::setFaults(const Faults& faults) {
  const auto lock = parts_->machine.lock();
  parts_->machine.world.faults() = faults;
}

void Kernel::failNext(Call kind, int error, std::size_t times) {
  const auto lock = parts_->machine.lock();
  parts_->machine.world.orders().place(kind, {.what = Order::What::kFail, .error = error}, times);
}

void Kernel::delayNext(Call kind, Duration delay) {
  const bool possible = kind == Call::kConnect || kind == Call::kSend || kind == Call::kReceive;
  if (!possible) throw std::invalid_argument("delayNext: only bytes and connects can be late");
  const auto lock = parts_->machine.lock();
  parts_->machine.world.orders().place(kind, {.what = Order::What::kDelay, .delay = delay}, 1);
}

void Kernel::cutNext(Call kind, std::size_t bytes) {
  const bool possible = kind == Call::kSend || kind == Call::kReceive;
  if (!possible) throw std::invalid_argument("cutNext: only sends and receives can be cut short");
  if (bytes == 0) throw std::invalid_argument("cutNext: 0 bytes are no part of a call");
  const auto lock = parts_->machine.lock();
  parts_->machine.world.orders().place(kind, {.what = Order::What::kCut, .most = bytes}, 1);
}

void Kernel::setWindow(int fd, std::size_t bytes) {
  const auto lock = parts_->machine.lock();
  if (const auto socket = parts_->machine.socket(fd)) socket->setWindow(bytes);
}

void Kernel::reportInstead(int fd, std::uint32_t events) {
  const auto lock = parts_->machine.lock();
  if (const auto file = parts_->machine.file(fd)) file->reportInstead(events);
}

void Kernel::breakConnection(int fd) {
  const auto lock = parts_->machine.lock();
  if (const auto socket = parts_->machine.socket(fd)) socket->breakDown();
}

void Kernel::exempt(int fd) {
  const auto lock = parts_->machine.lock();
  if (const auto socket = parts_->machine.socket(fd)) socket->exempt = true;
}

void Kernel::setDescriptorLimit(std::size_t limit) {
  const auto lock = parts_->machine.lock();
  parts_->machine.descriptorLimit = limit;
}

std::size_t Kernel::openDescriptors() const {
  const auto lock = parts_->machine.lock();
  return parts_->machine.openDescriptors();
}

void Kernel::setRingFeatures(std::uint32_t features) {
  const auto lock = parts_->machine.lock();
  parts_->machine.ringFeatures = features;
}

void Kernel::setLargestRing(unsigned entries) {
  const auto lock = parts_->machine.lock();
  parts_->machine.largestRing = entries;
}

void Kernel::setDeadlockPatience(Duration patience) {
  const auto lock = parts_->machine.lock();
  parts_->machine.deadlockPatience = patience;
}

void Kernel::onViolation(std::function<void(const std::string& what)> handler) {
  const auto lock = parts_->machine.lock();
  parts_->machine.world.onViolation(std::move(handler));
}

}  // namespace penstock::sim
