// The row of epoll in the table of backends.
#pragma once

#include <penstock/runtime/core/backend_row.h>

namespace penstock::epoll {

extern const BackendRow kBackendRow;

}  // namespace penstock::epoll
