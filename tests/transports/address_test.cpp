// Addresses are read, written and compared; a bad one is refused in one clear line.
#include <penstock/tests/support/complaint.h>
#include <penstock/tests/support/printing.h>
#include <penstock/transports/address.h>

#include <net/if.h>

#include <boost/test/unit_test.hpp>

#include <stdexcept>
#include <string>

using namespace penstock;
using penstock::testing::complaintOf;

BOOST_AUTO_TEST_SUITE(address_test)

namespace {

std::string complaintAbout(std::string_view text) {
  return complaintOf([text] { Address::parse(text); });
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_ipv4_address_is_read_and_written) {
  const Address address = Address::parse("127.0.0.1:80");

  BOOST_TEST(address.family() == AF_INET);
  BOOST_TEST(address.host() == "127.0.0.1");
  BOOST_TEST(address.port() == 80);
  BOOST_TEST(address.text() == "127.0.0.1:80");
  BOOST_TEST(address == Address::ipv4("127.0.0.1", 80));
}

BOOST_AUTO_TEST_CASE(an_ipv6_address_is_read_and_written_in_brackets) {
  const Address address = Address::parse("[::1]:65535");

  BOOST_TEST(address.family() == AF_INET6);
  BOOST_TEST(address.host() == "::1");
  BOOST_TEST(address.port() == 65535);
  BOOST_TEST(address.text() == "[::1]:65535");
  BOOST_TEST(address == Address::loopback(65535, AF_INET6));
}

BOOST_AUTO_TEST_CASE(a_scope_is_given_by_name_or_number_and_shown_by_name) {
  const std::uint32_t index = if_nametoindex("lo");
  BOOST_TEST_REQUIRE(index != 0);

  const Address byName = Address::parse("[fe80::1%lo]:1");
  const Address byNumber = Address::ipv6("fe80::1%" + std::to_string(index), 1);
  const Address byId = Address::ipv6("fe80::1", 1, index);

  BOOST_TEST(byName == byNumber);
  BOOST_TEST(byName == byId);
  BOOST_TEST(byId.text() == "[fe80::1%lo]:1");
  BOOST_TEST(!(byId == Address::ipv6("fe80::1", 1)));
}

BOOST_AUTO_TEST_CASE(a_port_alone_means_any_ipv4_interface) {
  BOOST_TEST(Address::parse(":80") == Address::ipv4("0.0.0.0", 80));
  BOOST_TEST(Address::parse("*:80") == Address::any(80));
  BOOST_TEST(Address::parse("[::]:80") == Address::any(80, AF_INET6));
}

BOOST_AUTO_TEST_CASE(a_unix_path_and_an_abstract_name_are_told_apart) {
  const Address path = Address::parse("unix:/tmp/x");
  const Address name = Address::parse("unix:@/tmp/x");

  BOOST_TEST(path.path() == "/tmp/x");
  BOOST_TEST(!path.isAbstract());
  BOOST_TEST(path.text() == "unix:/tmp/x");
  BOOST_TEST(name.path() == "/tmp/x");
  BOOST_TEST(name.isAbstract());
  BOOST_TEST(name.text() == "unix:@/tmp/x");
  BOOST_TEST(!(path == name));
}

BOOST_AUTO_TEST_CASE(an_abstract_name_may_hold_any_byte) {
  const Address address = Address::unixAbstract(std::string("a\0b", 3));

  BOOST_TEST(address.path() == std::string("a\0b", 3));
  BOOST_TEST(address.text() == "unix:@a\\x00b");
  BOOST_TEST(!(address == Address::unixAbstract("a")));
}

BOOST_AUTO_TEST_CASE(a_unix_path_has_at_most_107_bytes) {
  const std::string longest(107, 'x');

  BOOST_TEST(Address::unixPath(longest).path() == longest);
  BOOST_TEST(Address::unixAbstract(longest).path() == longest);
  BOOST_TEST(complaintOf([&] { Address::unixPath(longest + "x"); }).find("at most 107 bytes") !=
             std::string::npos);
  BOOST_TEST(complaintOf([&] { Address::unixAbstract(longest + "x"); }).find("at most 107") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_socket_address_is_copied_from_and_to_system_calls) {
  const Address address = Address::parse("[::1]:80");

  const Address copy = Address::fromSockaddr(address.data(), address.length());

  BOOST_TEST(copy == address);
  BOOST_TEST(copy.text() == "[::1]:80");
}

BOOST_AUTO_TEST_CASE(the_port_is_changed_in_a_copy) {
  const Address address = Address::parse("127.0.0.1:80");

  BOOST_TEST(address.withPort(81).text() == "127.0.0.1:81");
  BOOST_TEST(address.withPort(81).withPort(80).text() == address.text());
  BOOST_TEST(Address::parse("[::1]:80").withPort(8).text() == "[::1]:8");
  BOOST_TEST(Address::parse("unix:/x").withPort(81).text() == "unix:/x");
}

BOOST_AUTO_TEST_CASE(different_places_are_not_equal) {
  BOOST_TEST(!(Address::parse("127.0.0.1:80") == Address::parse("127.0.0.1:81")));
  BOOST_TEST(!(Address::parse("127.0.0.1:80") == Address::parse("127.0.0.2:80")));
  BOOST_TEST(!(Address::parse("[::1]:80") == Address::parse("[::2]:80")));
  BOOST_TEST(!(Address::parse("0.0.0.0:80") == Address::parse("[::]:80")));
  BOOST_TEST(Address() == Address());
}

BOOST_AUTO_TEST_CASE(a_bad_port_is_refused_by_name) {
  for (const char* text : {"127.0.0.1:65536", "127.0.0.1:", "127.0.0.1:-1", "127.0.0.1:http",
                           "[::1]:99999999999999999999", ":+1", "*: 1"}) {
    const std::string expected =
        '"' + std::string(text) + "\": the port must be a number from 0 to 65535";
    BOOST_TEST(complaintAbout(text) == expected);
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_address_is_refused_with_the_input_and_what_is_expected) {
  for (const char* text : {"", "127.0.0.1", "localhost:80", "::1:80", "[127.0.0.1]:80", "[::1]",
                           "256.0.0.1:80", "unix:", "unix:@", "[::1:80", "1.2.3:80"}) {
    const std::string complaint = complaintAbout(text);
    BOOST_TEST(complaint.starts_with('"' + std::string(text) + "\": expected "), complaint);
    BOOST_TEST(complaint.find('\n') == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(zero_bytes_do_not_cut_an_address_short) {
  BOOST_TEST(!complaintOf([] { Address::ipv4({"127.0.0.1\0x", 11}, 1); }).empty());
  BOOST_TEST(!complaintOf([] { Address::ipv6({"::1\0x", 5}, 1); }).empty());
  BOOST_TEST(!complaintOf([] { Address::unixPath({"/a\0b", 4}); }).empty());
}

BOOST_AUTO_TEST_CASE(a_scope_that_is_no_interface_is_refused) {
  BOOST_TEST(complaintOf([] { Address::ipv6("fe80::1%nowhere0", 1); }) ==
             "\"fe80::1%nowhere0\": the scope behind % must be a network interface or its number");
  BOOST_TEST(!complaintOf([] { Address::ipv6("fe80::1%99999999999", 1); }).empty());
}

BOOST_AUTO_TEST_CASE(a_host_and_its_port_are_split_whether_name_or_number) {
  BOOST_TEST(splitHostAndPort("example.org:80").host == "example.org");
  BOOST_TEST(splitHostAndPort("example.org:80").port == 80);
  BOOST_TEST(splitHostAndPort("[::1]:80").host == "::1");
  BOOST_TEST(splitHostAndPort(":80").host.empty());
  BOOST_TEST(!complaintOf([] { splitHostAndPort("example.org"); }).empty());
}

BOOST_AUTO_TEST_SUITE_END()
