#include <penstock/runtime/backends.h>
#include <penstock/tests/support/backend.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <stdexcept>
#include <system_error>
#include <utility>

#ifdef PENSTOCK_WITH_URING
#include <penstock/runtime/uring/ring_calls.h>
#endif

namespace penstock::testing {
namespace {

#ifdef PENSTOCK_WITH_URING
constexpr std::uint32_t kNoBufferRing = uring::kMultishotReceive | uring::kBufferRing;
#else
constexpr std::uint32_t kNoBufferRing = 0;
#endif
constexpr std::uint32_t kPlain = ~0U;
constexpr std::size_t kZeroCopyFrom = 64;  // So that the tests' small messages meet it.

const TestBackend kTestBackends[] = {
    {"epoll", Backend::kEpoll, 0, false, false, false},
    {"uring", Backend::kUring, 0, false, false, false},
    {"uring-multishot", Backend::kUring, 0, true, false, false},
    {"uring-zero-copy", Backend::kUring, 0, false, true, false},
    {"uring-no-buffer-ring", Backend::kUring, kNoBufferRing, false, false, false},
    {"uring-plain", Backend::kUring, kPlain, false, false, false},
    {"simulated-epoll", Backend::kEpoll, 0, false, false, true},
    {"simulated-uring", Backend::kUring, 0, false, false, true},
    {"simulated-uring-zero-copy", Backend::kUring, 0, false, true, true},
    {"simulated-uring-plain", Backend::kUring, kPlain, false, false, true},
};

// What the run is for and this kernel lacks, in one sentence, or nothing.
std::string lacking(const TestBackend& backend) {
#ifdef PENSTOCK_WITH_URING
  const auto has = [](std::uint32_t feature) {
    return (uring::ringCalls().features() & feature) != 0;
  };
  if (backend.uringMultishotReceive && !has(uring::kMultishotReceive)) {
    return "the kernel has no multishot receives";
  }
  if (backend.uringZeroCopySend && !has(uring::kZeroCopySend)) {
    return "the kernel has no sends without a copy";
  }
#endif
  static_cast<void>(backend);
  return {};
}

const TestBackend* chosen = &kTestBackends[0];

sim::Kernel* simulated = nullptr;

// Never destroyed: what closes descriptors at the end of the program may still come by.
std::string putSimulatedKernelInPlace() {
  simulated = new sim::Kernel(testSeed());
  return {};
}

}  // namespace

const TestBackend& testBackend() { return *chosen; }

sim::Kernel& simulatedKernel() { return *simulated; }

std::string chooseTestBackend(std::string_view name) {
  unsetenv("PENSTOCK_BACKEND");
  for (const TestBackend& backend : kTestBackends) {
    if (backend.name != name) continue;
    chosen = &backend;
    if (backend.simulated) return putSimulatedKernelInPlace();
    try {
      chooseBackend(backend.family);
      return lacking(backend);
    } catch (const std::system_error& error) {
      return error.what();
    }
  }
  std::string message = "no such backend: " + std::string(name) + "; there are";
  for (const TestBackend& backend : kTestBackends) message += " " + backend.name;
  throw std::invalid_argument(message);
}

std::unique_ptr<Reactor> makeReactor(ReactorOptions options) {
  options.backend = testBackend().family;
  options.uring.featuresOff |= testBackend().uringFeaturesOff;
  options.uring.multishotReceive |= testBackend().uringMultishotReceive;
  if (testBackend().uringZeroCopySend) options.uring.zeroCopyFrom = kZeroCopyFrom;
  return Reactor::create(std::move(options));
}

std::size_t openDescriptors() {
  const auto real = std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  auto count = static_cast<std::size_t>(real);
  if (simulated) count += simulated->openDescriptors();
  return count;
}

std::uint64_t testSeed() {
  const char* text = std::getenv("PENSTOCK_TEST_SEED");
  return text ? std::strtoull(text, nullptr, 10) : 1;
}

}  // namespace penstock::testing
