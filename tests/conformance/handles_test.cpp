// Names of connections and listeners that outlive them, and a reactor as other threads use it.
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/transports/loopback.h>

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>
#include <thread>
#include <vector>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(handles_test)

BOOST_AUTO_TEST_CASE(a_handle_names_its_connection_until_connectionLost_has_returned) {
  for (const bool inMemory : {false, true}) {
    Recorder client, server;
    bool thereWhenLost = false;
    TransportHandle handle;
    ReactorFixture loop;
    if (inMemory) {
      loopbackPair(loop.reactor(), client.makeProtocol(), server.makeProtocol());
    } else {
      loop.connect(client, server);
    }
    handle = client.transport().handle();
    client.onLost = [&](std::error_code) { thereWhenLost = handle.get() == &client.transport(); };
    BOOST_TEST(handle.get() == &client.transport());
    BOOST_TEST((handle == client.transport().handle()));

    client.transport().abortConnection();
    loop.runUntil([&] { return client.lost; }, "the connection to be lost");

    BOOST_TEST(thereWhenLost);
    BOOST_TEST(handle.get() == nullptr);
  }
}

BOOST_AUTO_TEST_CASE(a_connection_that_is_over_gives_no_handle) {
  Recorder client, server;
  TransportHandle late;
  ReactorFixture loop;
  loop.connect(client, server);
  client.onLost = [&](std::error_code) { late = client.transport().handle(); };

  client.transport().abortConnection();
  loop.runUntil([&] { return client.lost; }, "the connection to be lost");

  BOOST_TEST(!late);
}

BOOST_AUTO_TEST_CASE(a_handle_does_not_name_what_comes_after_in_the_same_memory) {
  ReactorFixture loop;
  std::vector<TransportHandle> handles;
  for (int i = 0; i < 50; ++i) {
    Recorder client, server;
    const auto pair = loopbackPair(loop.reactor(), client.makeProtocol(), server.makeProtocol());
    handles.push_back(pair.first.handle());
    for (std::size_t j = 0; j + 1 < handles.size(); ++j) BOOST_TEST(!handles[j]);
    client.transport().abortConnection();
    loop.runUntil([&] { return client.lost && server.lost; }, "both to be lost");
  }
}

BOOST_AUTO_TEST_CASE(the_handle_of_a_listener_is_empty_once_it_was_stopped) {
  Recorder server;
  ReactorFixture loop;
  Listener& listener = loop.listen([&] { return server.makeProtocol(); });
  const ListenerHandle handle = listener.handle();
  BOOST_TEST(handle.get() == &listener);

  listener.stopListening();

  BOOST_TEST(handle.get() == nullptr);
  BOOST_TEST(listener.handle().get() == nullptr);  // Nor is there a new one for what is over.
}

BOOST_AUTO_TEST_CASE(handles_and_remotes_may_outlive_the_reactor) {
  Recorder client, server;
  TransportHandle handle;
  ListenerHandle listening;
  std::optional<Remote> remote;
  {
    ReactorFixture loop;
    loop.connect(client, server);
    handle = client.transport().handle();
    listening = loop.listen([&] { return server.makeProtocol(); }).handle();
    remote = loop->remote();
    loop.destroy();
  }

  BOOST_TEST(handle.get() == nullptr);
  BOOST_TEST(listening.get() == nullptr);
  BOOST_TEST(!remote->call([] {}));
}

BOOST_AUTO_TEST_CASE(other_threads_reach_a_connection_by_its_handle) {
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server);
  const Remote remote = loop->remote();
  const TransportHandle handle = client.transport().handle();

  std::thread other([=] {
    for (int i = 0; i < 100; ++i) {
      BOOST_CHECK(remote.call(handle, [](Transport& transport) { transport.write("x"); }));
    }
  });
  other.join();
  loop.runUntil([&] { return server.received.size() == 100; }, "what the other thread wrote");

  BOOST_TEST(server.received == std::string(100, 'x'));
}

BOOST_AUTO_TEST_CASE(a_call_for_a_connection_that_is_over_by_then_is_not_made) {
  Recorder client, server;
  ReactorFixture loop;
  bool called = false;
  loop.connect(client, server);
  const TransportHandle handle = client.transport().handle();
  client.transport().abortConnection();
  loop.runUntil([&] { return client.lost; }, "the connection to be lost");

  BOOST_CHECK(loop->remote().call(handle, [&](Transport&) { called = true; }));
  loop.turn(2);

  BOOST_TEST(!called);
}

BOOST_AUTO_TEST_SUITE_END()
