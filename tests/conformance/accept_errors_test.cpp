// What accepting can fail with, and what becomes of the listener: nothing but a broken socket ends
// it, and an error that lasts keeps nobody else from their turn.
#define BOOST_TEST_MODULE accept_errors
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>
#include <penstock/tests/support/simulated_kernel.h>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstring>
#include <limits>
#include <list>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;
using boost::unit_test::precondition;

namespace {

constexpr std::size_t kForEver = std::numeric_limits<std::size_t>::max();

struct Accepting {
  ~Accepting() { simulatedKernel().failAccepts(0, 0); }

  // One more client, whose accept fails so many times first.
  void connect(int error = 0, std::size_t failures = 0) {
    simulatedKernel().failAccepts(error, failures);
    loop.connectTo(to, clients.emplace_back(), SocketFamily::kTcp);
  }

  void waitForAccepts(std::size_t count) {
    loop.runUntil([&] { return servers.size() == count; }, "the accept");
  }

  std::list<Recorder> clients, servers;
  ReactorFixture loop;
  Listener& listener = loop.listen([this] { return servers.emplace_back().makeProtocol(); });
  const SocketAddress to = addressOf(listener.descriptor());
};

template <class Test>
void forEachError(std::initializer_list<int> errors, Test test) {
  for (const int error : errors) {
    BOOST_TEST_CONTEXT(std::strerror(error)) { test(error); }
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(an_error_about_one_connection_is_passed_over,
                     *precondition(onSimulatedKernel)) {
  forEachError({ECONNABORTED, EPROTO, EINTR, EPERM, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH,
                ENOPROTOOPT, EOPNOTSUPP},
               [](int error) {
                 Accepting test;

                 test.connect(error, 5);
                 test.waitForAccepts(1);

                 BOOST_TEST(test.loop.logLines().empty());
               });
}

BOOST_AUTO_TEST_CASE(a_want_of_means_is_waited_out_and_logged_once,
                     *precondition(onSimulatedKernel)) {
  forEachError({ENOBUFS, ENOMEM, EMFILE, ENFILE}, [](int error) {
    Accepting test;
    const TimePoint before = test.loop->now();

    test.connect(error, 3);
    test.waitForAccepts(1);

    BOOST_TEST(test.loop->now() - before >= 100ms);
    BOOST_TEST(test.loop.logLines().size() == 1U);
  });
}

BOOST_AUTO_TEST_CASE(the_next_want_of_means_is_logged_again, *precondition(onSimulatedKernel)) {
  forEachError({ENOBUFS, ENOMEM, EMFILE, ENFILE}, [](int error) {
    Accepting test;
    test.connect(error, 1);
    test.waitForAccepts(1);
    test.connect();
    test.waitForAccepts(2);

    test.connect(error, 1);
    test.waitForAccepts(3);

    BOOST_TEST(test.loop.logLines().size() == 2U);
  });
}

BOOST_AUTO_TEST_CASE(a_broken_socket_ends_its_listener_which_says_so_and_can_still_be_stopped,
                     *precondition(onSimulatedKernel)) {
  forEachError({EBADF, EINVAL, ENOTSOCK, EFAULT}, [](int error) {
    Accepting test;

    test.connect(error, kForEver);
    test.loop.runUntil([&] { return !test.loop.logLines().empty(); }, "the log line");
    test.loop.settle();

    BOOST_TEST(test.loop.logLines().size() == 1U);
    BOOST_TEST(test.servers.empty());
    test.listener.stopListening();
    test.loop.runUntil([&] { return test.clients.front().lost; }, "the end of who waited");
  });
}

BOOST_AUTO_TEST_CASE(an_error_that_lasts_keeps_nobody_from_their_turn,
                     *precondition(onSimulatedKernel)) {
  forEachError({EPERM, ENOBUFS, EMFILE}, [](int error) {
    Recorder client, server;
    Accepting test;
    bool late = false;
    test.loop.connect(client, server);
    test.connect(error, kForEver);
    test.loop.settle();

    client.transport().write(asBytes("meanwhile"));
    test.loop->callLater(1ms, [&] { late = true; });
    test.loop.runUntil([&] { return late && server.received == "meanwhile"; }, "both");
    BOOST_TEST(test.servers.empty());
    simulatedKernel().failAccepts(0, 0);

    test.waitForAccepts(1);
  });
}

BOOST_AUTO_TEST_CASE(a_listener_may_stop_while_it_waits_for_means,
                     *precondition(onSimulatedKernel)) {
  forEachError({ENOMEM, EMFILE}, [](int error) {
    Accepting test;
    test.connect(error, kForEver);
    test.loop.runUntil([&] { return !test.loop.logLines().empty(); }, "the log line");
    simulatedKernel().failAccepts(0, 0);

    test.listener.stopListening();
    test.loop.runUntil([&] { return test.clients.front().lost; }, "the end of who waited");
    test.loop.runUntil([&] { return !test.loop->timeUntilDue(); }, "the end of the pause");

    BOOST_TEST(test.servers.empty());
    BOOST_TEST(test.loop.logLines().size() == 1U);
  });
}
