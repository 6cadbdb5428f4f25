#include <penstock/bench/compare/report/format.h>
#include <penstock/bench/compare/report/text_table.h>

#include <algorithm>

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

std::string shortened(const std::string& text) {
  if (width(text) <= kColumns) return text;
  std::string line;
  for (const char each : text) {
    const bool begins = (each & 0xC0) != 0x80;
    if (begins && width(line) + 1 >= kColumns) break;
    line += each;
  }
  return line + "…";
}

}  // namespace penstock::compare
