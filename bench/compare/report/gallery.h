// Gallery: which charts a summary deserves.
#pragma once

#include <penstock/bench/compare/run/analysis.h>

#include <string>
#include <vector>

namespace penstock::compare {

// A chart as a page shows it.
struct Picture {
  std::string title;
  std::string caption;
  std::vector<std::string> legend;  // Engines; empty where one look tells.
  std::string drawing;              // SVG.
};

// io_uring against epoll over all cells, in one picture; none if they did not meet.
std::vector<Picture> overview(const Summary& summary);

// The pictures of one workload; none if it was not measured.
std::vector<Picture> picturesOf(const Summary& summary, const std::string& workload);

}  // namespace penstock::compare
