// The part of result.json that readers use who work nothing out: what the report shows.
#pragma once

#include <penstock/bench/compare/run/analysis.h>

#include <nlohmann/json_fwd.hpp>

#include <vector>

namespace penstock::compare {

nlohmann::json toJson(const std::vector<Mark>& marks);

// With every verdict and interval, and the words for all of it: titles of cells, units of metrics,
// purposes of workloads.
nlohmann::json toJson(const Summary& summary);

}  // namespace penstock::compare
