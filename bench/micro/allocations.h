// How often this program allocates: operator new counts itself.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>

namespace penstock::micro {

// Calls of any operator new so far, in all threads.
std::uint64_t allocationsSoFar() noexcept;

// Whether a path that must not allocate was seen to.
bool allocatedWhereForbidden() noexcept;

// Measures the loop of one benchmark: make it just before, after what warms the loop up.
class Allocations {
 public:
  Allocations() noexcept : before_(allocationsSoFar()) {}

  // Adds the counter "allocations", for each iteration.
  void report(benchmark::State& state) const;

  // The same for the path of a byte: one allocation is an error, and fails the program.
  void reportNone(benchmark::State& state) const;

 private:
  std::uint64_t before_;
};

}  // namespace penstock::micro
