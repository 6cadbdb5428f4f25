#include <penstock/bench/compare/report/svg.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace penstock::compare {
namespace {

std::string attribute(std::string_view name, double value) {
  return ' ' + std::string(name) + "=\"" + coordinate(value) + '"';
}

std::string classed(std::string_view classes) { return " class=\"" + std::string(classes) + '"'; }

std::string titled(std::string_view hint) {
  return hint.empty() ? std::string() : "<title>" + escaped(hint) + "</title>";
}

std::string_view nameOf(Svg::Anchor anchor) {
  switch (anchor) {
    case Svg::Anchor::kStart:
      return "start";
    case Svg::Anchor::kMiddle:
      return "middle";
    case Svg::Anchor::kEnd:
      return "end";
  }
  return "";
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char each : text) {
    switch (each) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += each;
    }
  }
  return safe;
}

std::string coordinate(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f", value);
  std::string short_ = text;
  short_.erase(short_.find_last_not_of('0') + 1);
  if (short_.back() == '.') short_.pop_back();
  return short_ == "-0" ? "0" : short_;
}

void Svg::line(double x1, double y1, double x2, double y2, std::string_view classes) {
  body_ += "<line" + classed(classes) + attribute("x1", x1) + attribute("y1", y1) +
           attribute("x2", x2) + attribute("y2", y2) + "/>";
}

void Svg::bar(double x, double y, double width, double height, std::string_view classes,
              std::string_view hint) {
  const double round = std::min({4.0, width, height / 2});
  const std::string r = coordinate(round);
  const std::string shape = 'M' + coordinate(x) + ' ' + coordinate(y) + 'h' +
                            coordinate(width - round) + 'a' + r + ' ' + r + " 0 0 1 " + r + ' ' +
                            r + 'v' + coordinate(height - 2 * round) + 'a' + r + ' ' + r +
                            " 0 0 1 -" + r + ' ' + r + 'h' + coordinate(round - width) + 'z';
  body_ += "<path" + classed(classes) + " d=\"" + shape + "\">" + titled(hint) + "</path>";
}

void Svg::band(double x, double y, double width, double height, std::string_view classes) {
  body_ += "<rect" + classed(classes) + attribute("x", x) + attribute("y", y) +
           attribute("width", width) + attribute("height", height) + "/>";
}

void Svg::dot(double x, double y, double radius, std::string_view classes, std::string_view hint) {
  body_ += "<circle" + classed(classes) + attribute("cx", x) + attribute("cy", y) +
           attribute("r", radius) + '>' + titled(hint) + "</circle>";
}

void Svg::text(double x, double y, std::string_view words, std::string_view classes,
               Anchor anchor) {
  body_ += "<text" + classed(classes) + attribute("x", x) + attribute("y", y) + " text-anchor=\"" +
           std::string(nameOf(anchor)) + "\">" + escaped(words) + "</text>";
}

std::string Svg::finish(double height, std::string_view name) const {
  return "<svg viewBox=\"0 0 " + coordinate(kWidth) + ' ' + coordinate(height) +
         "\" role=\"img\" aria-label=\"" + escaped(name) + "\">" + body_ + "</svg>";
}

}  // namespace penstock::compare
