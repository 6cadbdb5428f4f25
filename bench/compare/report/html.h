// report.html: one file with everything in it, for a browser without a network.
#pragma once

#include <penstock/bench/compare/run/analysis.h>

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace penstock::compare {

std::string htmlReport(const Summary& summary, const Plan& plan, const nlohmann::json& environment);

}  // namespace penstock::compare
