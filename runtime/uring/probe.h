// What io_uring can do here, found by trying it.
#pragma once

#include <cstdint>
#include <string>

namespace penstock::uring {

// The bits of Feature (ring_calls.h) that worked when tried on a small ring of its own.
std::uint32_t probeFeatures() noexcept;

// Whether a ring can be made and does what a loop cannot do without.
struct Usability {
  bool usable = false;
  std::string why;     // One sentence: what works, or what refused.
  std::string remedy;  // What to do about it; empty when usable.
};
Usability probeUsability();

// The same of a setup that failed with `error`, a negative errno.
Usability explainRefusal(int error);

}  // namespace penstock::uring
