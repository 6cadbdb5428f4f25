// A stream carries bytes, all of them, in order, both ways.
#define BOOST_TEST_MODULE stream
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <boost/test/unit_test.hpp>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_CASE(bytes_arrive_at_the_other_end) {
  Recorder client, server;
  ReactorFixture loop;
  loop.connect(client, server);

  client.transport().write(asBytes("hello"));
  loop.runUntil([&] { return server.received.size() >= 5; }, "five bytes");

  BOOST_TEST(server.received == "hello");
  BOOST_TEST(client.received.empty());
}
