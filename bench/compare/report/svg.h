// Svg: a drawing, element by element, that becomes part of a page.
#pragma once

#include <string>
#include <string_view>

namespace penstock::compare {

// `text` with the characters that HTML reserves written as entities.
std::string escaped(std::string_view text);

// At most two decimals, none that are zero.
std::string coordinate(double value);

// Coordinates are in a width of kWidth, which a phone shows nearly as it is and a desktop larger.
// Colours and fonts are the page's affair: elements have classes, none has a colour.
class Svg {
 public:
  static constexpr double kWidth = 420;

  enum class Anchor { kStart, kMiddle, kEnd };

  void line(double x1, double y1, double x2, double y2, std::string_view classes);
  // A bar that grows to the right: square at its start, rounded at its end.
  void bar(double x, double y, double width, double height, std::string_view classes,
           std::string_view hint);
  void band(double x, double y, double width, double height, std::string_view classes);
  void dot(double x, double y, double radius, std::string_view classes, std::string_view hint);
  void text(double x, double y, std::string_view words, std::string_view classes,
            Anchor anchor = Anchor::kStart);

  // The whole drawing; `name` says to those who cannot see it what it shows.
  std::string finish(double height, std::string_view name) const;

 private:
  std::string body_;
};

}  // namespace penstock::compare
