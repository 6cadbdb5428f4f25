#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/text_table.h>

#include <algorithm>
#include <sstream>

namespace penstock::compare {
namespace {

std::vector<std::size_t> widthsOf(const std::vector<Row>& rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  return widths;
}

}  // namespace

std::string laidOut(const std::vector<Row>& rows, const std::string& indent) {
  const auto widths = widthsOf(rows);
  std::string text;
  for (const Row& row : rows) {
    std::string line = indent;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string space(widths[i] - width(row[i]), ' ');
      const bool left = i == 0 || i + 1 == row.size();
      line += (i > 0 ? "  " : "") + (left ? row[i] + space : space + row[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

std::string wrapped(const std::string& head, const std::string& text) {
  const std::string indent(width(head), ' ');
  std::istringstream words(text);
  std::string all, word;
  std::string line = head;
  bool first = true;
  while (words >> word) {
    if (!first && width(line) + 1 + width(word) > kColumns) {
      all += line + '\n';
      line = indent;
      first = true;
    }
    line += (first ? "" : " ") + word;
    first = false;
  }
  return all + line + '\n';
}

}  // namespace penstock::compare
