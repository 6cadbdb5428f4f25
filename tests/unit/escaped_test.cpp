// What is done to the words of others before they are printed.
#include <penstock/runtime/parts/escaped.h>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace penstock;

BOOST_AUTO_TEST_SUITE(escaped_test)

BOOST_AUTO_TEST_CASE(what_is_printable_stays_as_it_is) {
  for (const std::string text : {"", "plain text, ~!", "gr\xc3\xbc\xc3\x9f", "\xe2\x82\xac",
                                 "\xf0\x9f\x98\x80", "back\\slash"}) {
    BOOST_TEST(escaped(text) == text);
    BOOST_TEST(isPrintable(text));
  }
}

BOOST_AUTO_TEST_CASE(what_ends_a_line_or_steers_a_terminal_is_spelt_out) {
  BOOST_TEST(escaped("one\ntwo\tthree\r") == "one\\ntwo\\tthree\\x0d");
  BOOST_TEST(escaped("\x1b[2J\x7f") == "\\x1b[2J\\x7f");
  BOOST_TEST(escaped("\xc2\x9b") == "\\xc2\\x9b");  // CSI in one character.
  BOOST_TEST(escaped(std::string("\0", 1)) == "\\x00");
  BOOST_TEST(!isPrintable("a\n"));
}

BOOST_AUTO_TEST_CASE(what_is_not_utf_8_is_spelt_out) {
  BOOST_TEST(escaped("\xff") == "\\xff");
  BOOST_TEST(escaped("\xc3") == "\\xc3");           // Cut.
  BOOST_TEST(escaped("\xc0\xaf") == "\\xc0\\xaf");  // Overlong.
  BOOST_TEST(escaped("\xe0\x80\xaf") == "\\xe0\\x80\\xaf");
  BOOST_TEST(escaped("\xed\xa0\x80") == "\\xed\\xa0\\x80");  // A surrogate.
  BOOST_TEST(escaped("\xf4\x90\x80\x80") == "\\xf4\\x90\\x80\\x80");
}

BOOST_AUTO_TEST_CASE(a_long_text_is_cut_between_characters_and_says_how_much_is_missing) {
  BOOST_TEST(escaped("0123456789", 4) == "0123... (6 bytes more)");
  BOOST_TEST(escaped("abc\xc3\xbcxy", 4) == "abc\xc3\xbc... (2 bytes more)");
  BOOST_TEST(escaped("0123", 4) == "0123");
  BOOST_TEST(inQuotes(std::string(100'000, 'x')).size() < kMostEchoed + 40);
}

BOOST_AUTO_TEST_SUITE_END()
