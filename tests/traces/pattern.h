// The bytes of every recorded stream: byte i is i modulo 251.
#pragma once

#include <penstock/runtime/bytes.h>

#include <cstddef>

namespace penstock::traces {

// `count` bytes of the stream from `offset` on, in memory that lives as long as the program. At
// most 4 MiB.
Bytes patternAt(std::size_t offset, std::size_t count);

// Whether `bytes` are those of the stream from `offset` on.
bool isPattern(Bytes bytes, std::size_t offset);

}  // namespace penstock::traces
