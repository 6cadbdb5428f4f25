#include <penstock/runtime/parts/escaped.h>

#include <array>
#include <cstdio>

namespace penstock {
namespace {

unsigned byteAt(std::string_view text, std::size_t at) noexcept {
  return static_cast<unsigned char>(text[at]);
}

// How many bytes the UTF-8 sequence that `lead` begins has; 0: it begins none.
std::size_t lengthOf(unsigned lead) noexcept {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  return 0;
}

// How many bytes at the front of `text` are one character that may be printed; 0: none is.
// U+0080 to U+009F are control characters too, those with a meaning to terminals.
std::size_t printableAtFront(std::string_view text) noexcept {
  const unsigned lead = byteAt(text, 0);
  if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  const std::size_t length = lengthOf(lead);
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byteAt(text, i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = byteAt(text, 1);
  const bool control = lead == 0xc2 && second < 0xa0;
  const bool overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
  const bool beyond = (lead == 0xed && second >= 0xa0) || (lead == 0xf4 && second >= 0x90);
  return control || overlong || beyond ? 0 : length;
}

void appendEscaped(std::string& result, unsigned byte) {
  if (byte == '\n') {
    result += "\\n";
  } else if (byte == '\t') {
    result += "\\t";
  } else {
    std::array<char, 5> hex;
    std::snprintf(hex.data(), hex.size(), "\\x%02x", byte);
    result += hex.data();
  }
}

}  // namespace

std::string escaped(std::string_view text, std::size_t most) {
  std::string result;
  std::size_t at = 0;
  while (at < text.size() && at < most) {
    const std::size_t length = printableAtFront(text.substr(at));
    if (length == 0) {
      appendEscaped(result, byteAt(text, at++));
    } else {
      result += text.substr(at, length);
      at += length;
    }
  }
  if (at == text.size()) return result;
  return result + "... (" + std::to_string(text.size() - at) + " bytes more)";
}

std::string inQuotes(std::string_view text) { return "'" + escaped(text) + "'"; }

bool isPrintable(std::string_view text) noexcept {
  while (!text.empty()) {
    const std::size_t length = printableAtFront(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace penstock
