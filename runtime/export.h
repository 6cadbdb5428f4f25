// PENSTOCK_API: what the shared library shows; all else is hidden.
#pragma once

#if __cplusplus < 202002L
#error "Penstock's headers need C++20: compile with -std=c++20 or newer"
#endif

#define PENSTOCK_API __attribute__((visibility("default")))
