// CallCounts: what a server's calls to the kernel show of batches, full queues and short writes.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>

namespace penstock::compare {

struct CallCounts {
  std::uint64_t waits = 0;
  std::uint64_t events = 0;  // What those waits brought: ready descriptors, completions.
  std::uint64_t writes = 0;
  std::uint64_t shortWrites = 0;       // Took less than was offered, or nothing.
  std::uint64_t buffersExhausted = 0;  // Reads that found no shared buffer (ENOBUFS).
  std::uint64_t queueOverflows = 0;    // Waits that found the completion queue too small.
};

// From now on the calls of this process are counted. Before any reactor; once. It costs time at
// each call, so a server does it only in a pass of which nothing else is read. SIGUSR1 opens the
// window and closes it again.
void startCountingCalls();

// In the window; nothing where it was not closed.
CallCounts callCounts();

nlohmann::json toJson(const CallCounts& counts);
// Throws nlohmann::json::exception if `json` is not of that form.
CallCounts callCountsFromJson(const nlohmann::json& json);

// The ring that the library sets up here: its size, and its flags by name; null without one.
nlohmann::json describeRing();

}  // namespace penstock::compare
