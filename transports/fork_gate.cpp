#include <penstock/transports/fork_gate.h>

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

namespace penstock {
namespace {

// The most that a fork waits, and how often it looks.
constexpr auto kPatience = std::chrono::milliseconds(100);
constexpr auto kPause = std::chrono::microseconds(100);

constinit std::mutex entrance;  // Held while this process forks, so that a child finds it its own.
constinit std::atomic<int> lookUps{0};

void beforeFork() noexcept {
  entrance.lock();
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while (lookUps > 0 && std::chrono::steady_clock::now() < limit) {
    std::this_thread::sleep_for(kPause);
  }
}

void afterFork() noexcept { entrance.unlock(); }

void afterForkInChild() noexcept {
  lookUps = 0;  // They are the parent's.
  afterFork();
}

// When the library is loaded: the first look-up could come in the middle of a fork.
const int registered = ::pthread_atfork(&beforeFork, &afterFork, &afterForkInChild);

}  // namespace

ForkGate::ForkGate() noexcept {
  static_cast<void>(registered);
  const std::lock_guard lock(entrance);
  ++lookUps;
}

ForkGate::~ForkGate() { --lookUps; }

}  // namespace penstock
