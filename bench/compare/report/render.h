// report.html and report.md, which bench/report/report.py makes of a result.json.
#pragma once

#include <string>

namespace penstock::compare {

// Has them written beside `result`. Why they were not, in one line; empty: they were. Takes a
// second or two. Called once the result is safe: whatever goes wrong costs nothing that was
// measured.
std::string renderReport(const std::string& result);

}  // namespace penstock::compare
