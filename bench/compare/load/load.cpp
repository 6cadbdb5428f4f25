#include <penstock/bench/compare/load/load.h>

namespace penstock::compare {

WrongBytes::WrongBytes(std::uint64_t position, std::uint64_t differing)
    : ServerFault("wrong bytes: " + std::to_string(differing) + " differ, from byte " +
                  std::to_string(position) + " of a connection on"),
      differing_(differing) {}

void requireMatch(const Pattern& pattern, std::uint64_t position, std::uint64_t streamed,
                  const std::byte* bytes, std::size_t count) {
  if (pattern.matches(position, bytes, count)) return;
  throw WrongBytes(streamed, pattern.differing(position, bytes, count));
}

}  // namespace penstock::compare
