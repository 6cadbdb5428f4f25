// ProtocolFactory: what it can be made of, and what it is called with.
#include <penstock/runtime/protocol_factory.h>
#include <penstock/transports/address.h>

#include <boost/test/unit_test.hpp>

#include <functional>
#include <memory>
#include <string>

using namespace penstock;

BOOST_AUTO_TEST_SUITE(protocol_factory_test)

namespace {

struct Silent final : Protocol {
  void connectionMade(Transport&) override {}
  void dataReceived(Bytes) override {}
  void connectionLost(std::error_code) override {}
};

const Address kPeer = Address::parse("192.0.2.7:80");

std::unique_ptr<Silent> makeSilent() { return std::make_unique<Silent>(); }

}  // namespace

BOOST_AUTO_TEST_CASE(one_that_takes_the_peer_as_an_address_is_told_it) {
  std::string seen;
  ProtocolFactory factory = [&](const Address& peer) {
    seen = peer.text();
    return makeSilent();
  };

  BOOST_TEST((factory(kPeer) != nullptr));

  BOOST_TEST(seen == "192.0.2.7:80");
}

BOOST_AUTO_TEST_CASE(one_that_takes_the_peer_as_the_runtime_has_it_is_told_it) {
  int family = 0;
  ProtocolFactory factory = [&](const SocketAddress& peer) {
    family = peer.family();
    return makeSilent();
  };

  factory(kPeer);

  BOOST_TEST(family == AF_INET);
}

BOOST_AUTO_TEST_CASE(one_that_takes_nothing_or_anything_is_called) {
  ProtocolFactory ofNothing = [owned = std::make_unique<int>(1)] { return makeSilent(); };
  ProtocolFactory ofAnything = [](auto&&...) -> std::unique_ptr<Protocol> { return makeSilent(); };
  ProtocolFactory ofAFunction = makeSilent;
  ProtocolFactory ofNone = [] { return nullptr; };

  BOOST_TEST((ofNothing(kPeer) != nullptr));
  BOOST_TEST((ofAnything(kPeer) != nullptr));
  BOOST_TEST((ofAFunction(kPeer) != nullptr));
  BOOST_TEST((ofNone(kPeer) == nullptr));
}

BOOST_AUTO_TEST_CASE(one_made_of_nothing_is_empty) {
  using Made = std::unique_ptr<Protocol>;
  Made (*noFunction)() = nullptr;

  BOOST_TEST(!ProtocolFactory());
  BOOST_TEST(!ProtocolFactory(nullptr));
  BOOST_TEST(!ProtocolFactory(noFunction));
  BOOST_TEST(!ProtocolFactory(std::function<Made()>()));
  BOOST_TEST(!ProtocolFactory(std::function<Made(const Address&)>()));
  BOOST_TEST(!ProtocolFactory(UniqueFunction<Made()>()));
}

BOOST_AUTO_TEST_CASE(one_made_of_a_std_function_calls_it) {
  ProtocolFactory factory = std::function<std::unique_ptr<Protocol>()>(makeSilent);

  BOOST_TEST(!!factory);
  BOOST_TEST((factory(kPeer) != nullptr));
}

BOOST_AUTO_TEST_SUITE_END()
