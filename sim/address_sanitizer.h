// Whether this is a build with AddressSanitizer: then freed memory is known.
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
#endif
