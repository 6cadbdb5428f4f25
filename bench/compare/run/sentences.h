// What an outcome says, in sentences.
#pragma once

#include <string>
#include <vector>

namespace penstock::compare {

struct Cell;
struct Plan;
struct Summary;

// "64 B at 50 connections, at 75 % load": the workload's words for it.
std::string describe(const Cell& cell);

// One or more for each workload: where io_uring needs more, less, or no different CPU than epoll,
// wins and losses alike; and how the other engines stand.
std::vector<std::string> sentencesOf(const Summary& summary, const Plan& plan);

}  // namespace penstock::compare
