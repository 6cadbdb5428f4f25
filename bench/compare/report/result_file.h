// result.json: everything that was measured and worked out, in a form with a version.
#pragma once

#include <penstock/bench/compare/run/analysis.h>
#include <penstock/bench/compare/run/campaign.h>

#include <nlohmann/json.hpp>

#include <string>

namespace penstock::compare {

// Raised whenever a reader of the old form would misread the new one.
inline constexpr int kResultVersion = 2;

struct Result {
  Outcome outcome;
  nlohmann::json environment;
  std::vector<Mark> machineMarks;  // Of the machine and the build, when it was measured.
};

// The slices and the raw histograms, and the summary for readers that work nothing out.
nlohmann::json toJson(const Result& result, const Summary& summary);

// One line of JSON. What a server has written into a reason may be anything: bytes that are no
// UTF-8 are replaced.
std::string textOf(const nlohmann::json& result);

// Throws BadRequest, in one line, if the file is not there, is no result, or is of another version.
Result readResult(const std::string& path);

// Throws std::runtime_error, in one line, if it cannot be written whole.
void writeFile(const std::string& path, const std::string& text);

}  // namespace penstock::compare
