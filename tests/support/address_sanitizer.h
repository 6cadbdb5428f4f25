// What a build with AddressSanitizer changes for a test.
#pragma once

#include <penstock/sim/address_sanitizer.h>

#ifdef PENSTOCK_ADDRESS_SANITIZER
#include <sanitizer/lsan_interface.h>
#endif

namespace penstock::testing {

// What is allocated during the life of a MayLeak may be leaked.
#ifdef PENSTOCK_ADDRESS_SANITIZER
constexpr bool kAddressSanitizer = true;
using MayLeak = __lsan::ScopedDisabler;
#else
constexpr bool kAddressSanitizer = false;
struct MayLeak {
  ~MayLeak() {}
};
#endif

}  // namespace penstock::testing
