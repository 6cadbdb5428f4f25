// What others wrote (paths, names, the texts of exceptions), made safe to print.
#pragma once

#include <penstock/runtime/export.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace penstock {

// How much of somebody else's text an error message repeats.
inline constexpr std::size_t kMostEchoed = 256;

// `text` with what would end a line or steer a terminal written as \n, \t or \x1b: control bytes,
// and what is not UTF-8. Behind `most` bytes it is cut, and says how many were left out.
PENSTOCK_API std::string escaped(std::string_view text, std::size_t most = kMostEchoed);

// The same between single quotes, for error messages.
PENSTOCK_API std::string inQuotes(std::string_view text);

// Whether escaped() would give `text` back as it is.
PENSTOCK_API bool isPrintable(std::string_view text) noexcept;

}  // namespace penstock
