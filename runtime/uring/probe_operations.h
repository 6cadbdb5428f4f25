// Each operation that the library submits, tried on this kernel.
#pragma once

#include <string>
#include <vector>

namespace penstock::uring {

struct OperationProbe {
  const char* name;  // The kernel's word for it.
  const char* use;   // What the library uses it for.
  bool works;
};

// Submits each operation and flag once, to a ring and sockets of its own, and looks at what comes
// back. About a millisecond.
std::vector<OperationProbe> probeOperations();

}  // namespace penstock::uring
