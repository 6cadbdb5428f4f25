// What the self-test found, on the terminal.
#pragma once

#include <penstock/bench/compare/run/self_test.h>

#include <string>

namespace penstock::compare {

// A line for each cell, and in how many what was found.
std::string textOf(const SelfTest& test);

}  // namespace penstock::compare
