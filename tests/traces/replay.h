// Performs a trace on a transport of ours and compares.
#pragma once

#include <penstock/tests/traces/trace.h>

#include <cstddef>
#include <optional>
#include <string>

namespace penstock::traces {

struct Outcome {
  std::size_t steps = 0;
  std::size_t compared = 0;
  std::string departure;                  // The note that cut the trace short; empty if none did.
  std::optional<std::string> divergence;  // What differed first, in some lines.
};

// Whether traces of `family` can be replayed: `fd` always, `fhx` where there is io_uring.
bool canReplay(const std::string& family);

// Throws BadInput where the trace makes no sense.
Outcome replay(const Trace& trace);

}  // namespace penstock::traces
