// Columns on a terminal.
#pragma once

#include <string>
#include <vector>

namespace penstock::compare {

using Row = std::vector<std::string>;

// The first column and the last to the left, figures between them to the right.
std::string laidOut(const std::vector<Row>& rows, const std::string& indent);

}  // namespace penstock::compare
