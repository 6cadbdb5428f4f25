// replaceProtocol(): a connection changes hands, from inside every callback of the one that leaves.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(replacing_test)

namespace {

// The server's end is handed from `first` to `next`, who hears no connectionMade().
struct Replacing {
  Recorder client, first, next;
  std::unique_ptr<Protocol> replaced;  // Kept, as it may be running.
  Transport* transport = nullptr;      // Of the server's end, good until it is lost.
  ReactorFixture loop;

  Replacing() { next.events = {"in place"}; }

  void connect() {
    if (!first.onMade) first.onMade = [this](Transport& made) { transport = &made; };
    loop.connect(client, first);
  }

  void replace() { replaced = transport->replaceProtocol(next.makeProtocol()); }

  void send(const char* text) { client.transport().write(asBytes(text)); }

  void endFromClient() {
    client.transport().loseConnection();
    loop.runUntil([this] { return next.lost; }, "the end");
  }
};

using Events = std::vector<std::string>;

}  // namespace

BOOST_FIXTURE_TEST_CASE(one_that_is_replaced_as_the_connection_is_made_hears_no_more, Replacing) {
  first.onMade = [this](Transport& made) {
    transport = &made;
    replace();
  };
  connect();
  send("hello");
  loop.runUntil([this] { return next.received == "hello"; }, "the bytes");
  endFromClient();

  BOOST_TEST(first.events == Events{"made"}, boost::test_tools::per_element());
  BOOST_TEST(next.events == (Events{"in place", "data", "lost"}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(what_comes_after_a_delivery_that_replaces_goes_to_the_next, Replacing) {
  connect();
  first.onData = [this](Bytes) { replace(); };
  send("a");
  loop.runUntil([this] { return replaced != nullptr; }, "the first bytes");
  send("b");
  loop.runUntil([this] { return next.received == "b"; }, "the second bytes");
  endFromClient();

  BOOST_TEST(first.received == "a");
  BOOST_TEST(first.events == (Events{"made", "data"}), boost::test_tools::per_element());
  BOOST_TEST(next.events == (Events{"in place", "data", "lost"}), boost::test_tools::per_element());
}

// Far more than one delivery holds, so that the rest of it is already there, or held by a pause.
BOOST_FIXTURE_TEST_CASE(none_of_many_bytes_is_lost_between_the_two, Replacing) {
  connect();
  const std::string bulk(3'000'000, 'x');
  first.onData = [this](Bytes) {
    transport->pauseProducing();
    replace();
  };
  client.transport().write(asBytes(bulk));
  loop.runUntil([this] { return replaced != nullptr; }, "the first bytes");
  loop.settle();
  BOOST_TEST(next.received.empty());

  transport->resumeProducing();
  loop.runUntil([&] { return first.received.size() + next.received.size() == bulk.size(); },
                "all the bytes");

  BOOST_TEST(first.received + next.received == bulk);
}

BOOST_FIXTURE_TEST_CASE(one_that_is_replaced_at_the_end_of_input_hears_no_more, Replacing) {
  first.halfCloseable = true;
  connect();
  first.onReadLost = [this] { replace(); };
  client.transport().loseWriteConnection();
  loop.runUntil([this] { return replaced != nullptr; }, "the end of input");

  transport->write(asBytes("bye"));
  transport->loseConnection();
  loop.runUntil([this] { return next.lost && client.lost; }, "the end");

  BOOST_TEST(client.received == "bye");
  BOOST_TEST(first.events == (Events{"made", "readLost"}), boost::test_tools::per_element());
  BOOST_TEST(next.events == (Events{"in place", "lost"}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(one_that_is_replaced_at_its_half_close_hears_no_more, Replacing) {
  first.halfCloseable = client.halfCloseable = true;
  connect();
  first.onWriteLost = [this] { replace(); };
  transport->loseWriteConnection();
  loop.runUntil([this] { return replaced != nullptr; }, "the half-close");
  send("still");
  loop.runUntil([this] { return next.received == "still"; }, "the bytes");
  endFromClient();

  BOOST_TEST(first.events == (Events{"made", "writeLost"}), boost::test_tools::per_element());
}

// Whether the peer's half-close ends everything is asked of the one in place then.
BOOST_FIXTURE_TEST_CASE(whether_the_end_of_input_ends_all_is_up_to_the_next, Replacing) {
  first.halfCloseable = true;
  connect();
  replace();

  client.transport().loseWriteConnection();
  loop.runUntil([this] { return next.lost && client.lost; }, "the end");

  BOOST_TEST(first.events == Events{"made"}, boost::test_tools::per_element());
  BOOST_TEST(next.events == (Events{"in place", "lost"}), boost::test_tools::per_element());
}

BOOST_FIXTURE_TEST_CASE(an_exception_of_one_that_was_replaced_ends_it_for_the_next, Replacing) {
  connect();
  first.onData = [this](Bytes) {
    replace();
    throw std::runtime_error("thrown by the test");
  };
  send("a");
  loop.runUntil([this] { return next.lost && client.lost; }, "the end");

  BOOST_TEST(next.why == ConnectionError::kProtocolFailed);
  BOOST_TEST(first.events == (Events{"made", "data"}), boost::test_tools::per_element());
  BOOST_TEST(loop.logLines().size() == 1U);
}

BOOST_FIXTURE_TEST_CASE(the_end_of_the_reactor_ends_the_one_in_place, Replacing) {
  connect();
  replace();

  loop.destroy();

  BOOST_TEST(next.lost);
  BOOST_TEST(first.events == Events{"made"}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_SUITE_END()
