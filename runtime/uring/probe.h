// What io_uring can do here, found by trying it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace penstock::uring {

// Whether a ring can be made and does what a loop cannot do without.
struct Usability {
  bool usable = false;
  std::string why;     // One sentence: what works, or what refused.
  std::string remedy;  // What to do about it; empty when usable.
};

// All of it is tried on one small ring, once a process: each ring costs locked memory, which comes
// back late. What was found not to work is tried again. probeUsability() asks what stands in for
// the kernel, if something does.
Usability probeUsability();
Usability probeKernel();

// The bits of Feature (ring_calls.h) that worked; none: there is no usable ring now.
std::optional<std::uint32_t> knownFeatures() noexcept;

// The same of a setup that failed with `error`, a negative errno.
Usability explainRefusal(int error);

}  // namespace penstock::uring
