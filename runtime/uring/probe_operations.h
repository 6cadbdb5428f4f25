// Each operation that the library submits, tried on this kernel.
#pragma once

#include <liburing.h>

#include <string>
#include <vector>

namespace penstock::uring {

class TrialRing;

struct OperationProbe {
  const char* name;  // The kernel's word for it.
  const char* use;   // What the library uses it for.
  bool works;
};

// What the ring of a loop cannot do without, as a flag of its setup and as operations. Submits
// each operation once to `trial` and looks at what comes back.
inline constexpr unsigned kEssentialSetup = IORING_SETUP_CQSIZE;
std::vector<OperationProbe> probeEssentials(TrialRing& trial);

// The same for everything that is used, on two rings of its own. About a millisecond. Empty: there
// is no ring.
std::vector<OperationProbe> probeOperations();

}  // namespace penstock::uring
