// The machine, the kernel and the build that a result came from. No name of host, user or path.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace penstock::compare {

nlohmann::json captureEnvironment();

// What the kernel tells the time by; it may change its mind.
std::string clockSource();

}  // namespace penstock::compare
