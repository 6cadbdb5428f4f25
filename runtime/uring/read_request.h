// ReadRequest: what a FileHandle wants to have read.
#pragma once

#include <penstock/runtime/bytes.h>

#include <cstdint>

namespace penstock::uring {

enum class ReadMode : std::uint8_t {
  kPresent,    // Into `into`, without waiting: what is there, or -EAGAIN.
  kNext,       // Waits, then into a buffer that the kernel picks.
  kMultishot,  // The same again and again, until it is told to stop.
};

// The buffer that the kernel picks is seen to by the FileHandle; the subclass prepares the
// operation, with the flags that this one has for the mode. It may take `pollFirst` for a hint.
struct ReadRequest {
  MutableBytes into;  // Empty unless `mode` is kPresent.
  ReadMode mode;
  bool pollFirst;  // Nothing is there yet, as far as is known: not worth a try.
};

}  // namespace penstock::uring
