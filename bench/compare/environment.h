// The machine, the kernel and the build that a result came from. No name of host, user or path.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace penstock::compare {

nlohmann::json captureEnvironment();

}  // namespace penstock::compare
