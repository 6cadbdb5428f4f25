// ConnectionNames: whatever address it was given, it gives back.
#include <penstock/runtime/core/connection_names.h>
#include <penstock/transports/address.h>

#include <boost/test/unit_test.hpp>

#include <string>

using namespace penstock;

BOOST_AUTO_TEST_SUITE(connection_names_test)

namespace {

bool same(const SocketAddress& one, const SocketAddress& other) {
  return one.length() == other.length() && std::memcmp(one.data(), other.data(), one.length()) == 0;
}

SocketAddress unnamed() {
  const sa_family_t family = AF_UNIX;
  return {reinterpret_cast<const sockaddr*>(&family), sizeof family};
}

const SocketAddress kAddresses[] = {
    Address::parse("203.0.113.255:65535"),
    Address::parse("0.0.0.0:0"),
    Address::parse("[2001:db8::1]:443"),
    Address::parse("[fe80::1%1]:1"),
    Address::parse("unix:/run/a"),
    Address::unixAbstract(std::string(107, '\xff')),
    unnamed(),
};

}  // namespace

BOOST_AUTO_TEST_CASE(it_takes_a_word) { BOOST_TEST(sizeof(ConnectionNames) == 8U); }

BOOST_AUTO_TEST_CASE(a_peer_is_given_back) {
  for (const SocketAddress& peer : kAddresses) {
    ConnectionNames names;

    names.keep(peer);

    BOOST_TEST_CONTEXT(Address(peer).text()) {
      BOOST_TEST(same(names.peer(), peer));
      BOOST_TEST(names.host().empty());
    }
  }
}

BOOST_AUTO_TEST_CASE(a_peer_and_a_host_are_given_back) {
  for (const SocketAddress& peer : kAddresses) {
    for (const SocketAddress& host : kAddresses) {
      ConnectionNames names;
      names.keep(peer);

      names.keep(names.peer(), host);

      BOOST_TEST(same(names.peer(), peer));
      BOOST_TEST(same(names.host(), host));
    }
  }
}

BOOST_AUTO_TEST_CASE(nothing_kept_is_nothing_known) {
  ConnectionNames names;

  names.keep({});

  BOOST_TEST(names.peer().empty());
  BOOST_TEST(names.host().empty());
}

BOOST_AUTO_TEST_CASE(a_host_is_kept_without_a_peer) {
  ConnectionNames names;

  names.keep({}, kAddresses[0]);

  BOOST_TEST(names.peer().empty());
  BOOST_TEST(same(names.host(), kAddresses[0]));
}

BOOST_AUTO_TEST_SUITE_END()
