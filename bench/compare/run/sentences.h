// What an outcome says, in a few sentences.
#pragma once

#include <string>
#include <vector>

namespace penstock::compare {

struct Cell;
struct Comparison;
struct Summary;

// "64 B at 50 connections, under 75 % load, client on io_uring": the workload's words for it.
std::string describe(const Cell& cell);

// One of: "less", "more", "the same within 2 %", "not told apart: between 0.97 and 1.06"; and "not
// valid" where nothing may be said.
std::string wordsOf(const Comparison& comparison);

// What io_uring needs beside epoll and what the others need, what depends on the client, and what
// the run could see: wins and losses alike. Eight at most, of one line each.
std::vector<std::string> sentencesOf(const Summary& summary);

}  // namespace penstock::compare
