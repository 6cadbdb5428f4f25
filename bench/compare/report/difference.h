// Two results beside one another: what has changed from the first to the second.
#pragma once

#include <penstock/bench/compare/report/result_file.h>

#include <string>

namespace penstock::compare {

// A table of every engine and cell that both have, what the machines and builds differ in, and what
// it comes to. What changed is told only where it is more than either run's A/A pair, and more than
// all cells together have changed.
std::string differenceOf(const Result& before, const Result& after);

}  // namespace penstock::compare
