#include <penstock/bench/compare/proc_file.h>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace penstock::compare {

std::string readText(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::string text;
  char part[4096];
  ssize_t count;
  while ((count = ::read(fd, part, sizeof part)) > 0) text.append(part, std::size_t(count));
  ::close(fd);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::vector<std::int64_t> numbersIn(std::string_view text) {
  std::vector<std::int64_t> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    std::int64_t number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    const bool tooLarge = error == std::errc::result_out_of_range;
    if (tooLarge) number = std::numeric_limits<std::int64_t>::max();
    if (tooLarge || error == std::errc()) numbers.push_back(number);
    at = error == std::errc::invalid_argument ? at + 1 : next;
  }
  return numbers;
}

std::int64_t numberAfter(std::string_view text, std::string_view label, std::int64_t otherwise) {
  const auto at = text.find(label);
  if (at == text.npos) return otherwise;
  const auto rest = text.substr(at + label.size());
  const auto numbers = numbersIn(rest.substr(0, rest.find('\n')));
  return numbers.empty() ? otherwise : numbers.front();
}

std::vector<std::string> linesOf(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const auto end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    if (end == text.npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
}

std::string withoutPaths(std::string_view text) {
  std::string clean;
  while (!text.empty()) {
    const auto length = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, length);
    clean += word.find('/') == word.npos ? word : std::string_view("…");
    if (length == text.size()) break;
    clean += ' ';
    text.remove_prefix(length + 1);
  }
  return clean;
}

}  // namespace penstock::compare
