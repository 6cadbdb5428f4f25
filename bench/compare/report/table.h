// The table on the terminal.
#pragma once

#include <penstock/bench/compare/run/analysis.h>

#include <string>

namespace penstock::compare {

// Everything of one run, cell by cell, with what is wrong and, at the end, the sentences.
std::string tableOf(const Summary& summary);

}  // namespace penstock::compare
