// One line for people of any text: mistakes repeat what was typed, names come from peers.
#pragma once

#include <string>
#include <string_view>

namespace penstock::tools {

// `text` without its control characters, which are shown as \n or \x1b, so that it is one line and
// steers no terminal. Of a long text the middle is left out: what was typed may be 100 KB, and what
// is wrong with it stands before or behind.
std::string oneLine(std::string_view text);

}  // namespace penstock::tools
