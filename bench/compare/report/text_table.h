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

// `text` after `head`, in lines of kColumns at most that are broken between words; all but the
// first begin with blanks under the head.
std::string wrapped(const std::string& head, const std::string& text);

}  // namespace penstock::compare
