// Reading the small text files under /proc and /sys.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::compare {

// The whole file without the line feed at its end; empty when it cannot be read.
std::string readText(const std::string& path);

// The whole numbers of `text`, in order; words between them are skipped, and what is too large
// becomes the largest there is.
std::vector<std::int64_t> numbersIn(std::string_view text);

// The number behind `label` ("VmRSS:") in `text`; `otherwise` when there is none.
std::int64_t numberAfter(std::string_view text, std::string_view label, std::int64_t otherwise = 0);

// The lines of `text`, without the line feeds.
std::vector<std::string> linesOf(std::string_view text);

// `text` without blanks at both ends.
std::string trimmed(std::string_view text);

// `text` with every word that holds a slash as "…": results are published, and paths name people.
std::string withoutPaths(std::string_view text);

}  // namespace penstock::compare
