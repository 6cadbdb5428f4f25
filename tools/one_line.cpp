#include <penstock/tools/one_line.h>

#include <cstdio>

namespace penstock::tools {
namespace {

constexpr std::size_t kHead = 250;
constexpr std::size_t kTail = 250;

bool isControl(char character) {
  return static_cast<unsigned char>(character) < ' ' || character == '\x7f';
}

bool continuesCharacter(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// The end of the character of UTF-8 that `at` may be in the middle of; it has at most three more.
std::size_t endOfCharacter(std::string_view text, std::size_t at) {
  const std::size_t limit = at + 3;
  while (at < limit && continuesCharacter(text[at])) ++at;
  return at;
}

std::string withoutMiddle(std::string_view text) {
  if (text.size() <= kHead + kTail) return std::string(text);
  const std::size_t head = endOfCharacter(text, kHead);
  const std::size_t tail = endOfCharacter(text, text.size() - kTail);
  return std::string(text.substr(0, head)) + " [" + std::to_string(tail - head) + " more bytes] " +
         std::string(text.substr(tail));
}

void appendShown(std::string& line, char character) {
  if (!isControl(character)) {
    line += character;
  } else if (character == '\n') {
    line += "\\n";
  } else {
    char code[8];
    std::snprintf(code, sizeof code, "\\x%02x", static_cast<unsigned char>(character));
    line += code;
  }
}

}  // namespace

std::string oneLine(std::string_view text) {
  std::string line;
  for (const char character : withoutMiddle(text)) appendShown(line, character);
  return line;
}

}  // namespace penstock::tools
