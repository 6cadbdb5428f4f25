// Two results beside one another: what has changed from the first to the second.
#pragma once

#include <penstock/bench/compare/report/result_file.h>

#include <string>

namespace penstock::compare {

// A table of every engine and cell that both have, what the machines and builds differ in, and a
// closing sentence. Differences are claimed by the rules of a single run, with the larger of the
// two noise floors.
std::string differenceOf(const Result& before, const Result& after);

}  // namespace penstock::compare
