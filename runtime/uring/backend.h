// The row of io_uring in the table of backends.
#pragma once

#include <penstock/runtime/core/backend_row.h>

namespace penstock::uring {

extern const BackendRow kBackendRow;

}  // namespace penstock::uring
