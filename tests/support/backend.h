// Which backend this run of a test program is for.
#pragma once

#include <penstock/runtime/reactor.h>
#include <penstock/sim/kernel.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace penstock::testing {

// Chosen by the first argument after `--`: stream_test -- uring-plain. With none, epoll.
struct TestBackend {
  std::string name;
  Backend family;
  std::uint32_t uringFeaturesOff;  // What the kernel has and this run does without.
  bool uringMultishotReceive;
  bool uringZeroCopySend;
  bool simulated;  // On the simulated kernel: virtual time, no real descriptors.
};

// The one that was chosen.
const TestBackend& testBackend();

// Chooses the backend called `name` and, if it is a simulated one, puts its kernel in place with
// PENSTOCK_TEST_SEED as the seed. Returns in one sentence why it cannot be used here, or nothing.
// Throws std::invalid_argument for a name there is none of.
std::string chooseTestBackend(std::string_view name);

// The kernel of the chosen backend, if it is a simulated one.
sim::Kernel& simulatedKernel();

// A reactor of the chosen backend. PENSTOCK_BACKEND has no say in it.
std::unique_ptr<Reactor> makeReactor(ReactorOptions options = {});

// How many descriptors this process has open, simulated ones included.
std::size_t openDescriptors();

// PENSTOCK_TEST_SEED, or 1: what everything random in a test starts from.
std::uint64_t testSeed();

}  // namespace penstock::testing
