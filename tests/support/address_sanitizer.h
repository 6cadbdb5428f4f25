// What a build with AddressSanitizer changes for a test.
#pragma once

#if defined(__SANITIZE_ADDRESS__)
#define PENSTOCK_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PENSTOCK_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef PENSTOCK_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
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
