// Columns on a terminal.
#pragma once

#include <string>
#include <vector>

namespace penstock::compare {

using Row = std::vector<std::string>;

// What a terminal has room for, unless it is a narrow one.
inline constexpr std::size_t kColumns = 110;

// The first column and the last to the left, figures between them to the right.
std::string laidOut(const std::vector<Row>& rows, const std::string& indent);

// `text`, cut to one line of kColumns.
std::string shortened(const std::string& text);

}  // namespace penstock::compare
