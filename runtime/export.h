// PENSTOCK_API: what the shared library shows; all else is hidden.
#pragma once

#define PENSTOCK_API __attribute__((visibility("default")))
