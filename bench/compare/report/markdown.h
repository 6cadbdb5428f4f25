// report.md: the figures and the sentences, for pasting.
#pragma once

#include <penstock/bench/compare/run/analysis.h>

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace penstock::compare {

std::string markdownReport(const Summary& summary, const Plan& plan,
                           const nlohmann::json& environment);

}  // namespace penstock::compare
