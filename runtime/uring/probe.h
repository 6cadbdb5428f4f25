// What io_uring can do here, found by trying it.
#pragma once

#include <cstdint>
#include <string>

namespace penstock::uring {

// The bits of Feature (ring_calls.h) that worked when tried on a small ring of its own.
std::uint32_t probeFeatures() noexcept;

// Whether a ring can be made and used at all: a NOP goes in and comes out.
struct Usability {
  bool usable = false;
  std::string why;     // One sentence: what works, or what refused.
  std::string remedy;  // What to do about it; empty when usable.
};
Usability probeUsability();

}  // namespace penstock::uring
