// What accepting can fail with, and what becomes of the listener: nothing but a broken socket ends
// it, and an error that lasts keeps nobody else from their turn.
#include <penstock/sim/kernel.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstring>
#include <limits>
#include <list>
#include <system_error>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(accept_errors_test)

namespace {

constexpr std::size_t kForEver = std::numeric_limits<std::size_t>::max();

struct Accepting {
  ~Accepting() { simulatedKernel().failNext(sim::Call::kAccept, 0, 0); }

  // One more client, whose accept fails so many times first.
  Recorder& connect(int error = 0, std::size_t failures = 0) {
    simulatedKernel().failNext(sim::Call::kAccept, error, failures);
    Recorder& client = clients.emplace_back();
    loop.connectTo(to, client, SocketFamily::kTcp);
    return client;
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
  forEachError({ECONNABORTED, ECONNRESET, ENOTCONN, EPROTO, EINTR, EPERM, EACCES, ENETDOWN,
                ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENONET, ENOPROTOOPT, EOPNOTSUPP, ETIMEDOUT},
               [](int error) {
                 Accepting test;

                 test.connect(error, 5);
                 test.waitForAccepts(1);

                 BOOST_TEST(test.loop.logLines().empty());
               });
}

BOOST_AUTO_TEST_CASE(a_want_of_means_is_waited_out_and_logged_once,
                     *precondition(onSimulatedKernel)) {
  forEachError({ENOBUFS, ENOMEM, ENOSR, EMFILE, ENFILE, ENOSYS, EIO}, [](int error) {
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

    std::vector<std::error_code> told;
    test.listener.onLost([&](std::error_code why) { told.push_back(why); });

    const Recorder& client = test.connect(error, kForEver);
    test.loop.runUntil([&] { return !told.empty() && client.made(); }, "the listener's end");
    test.loop.settle();

    BOOST_TEST(told.size() == 1U);
    BOOST_TEST(told.front().value() == error);
    BOOST_TEST(test.loop.logLines().size() == 1U);
    BOOST_TEST(test.servers.empty());
    test.listener.stopListening();
    test.loop.runUntil([&] { return client.lost; }, "the end of who waited");
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
    simulatedKernel().failNext(sim::Call::kAccept, 0, 0);

    test.waitForAccepts(1);
  });
}

// Ten tries a second at most, and a line: the loop has nothing else to do meanwhile.
BOOST_AUTO_TEST_CASE(an_error_about_one_connection_that_lasts_is_retried_from_time_to_time,
                     *precondition(onSimulatedKernel)) {
  forEachError({EPERM, EACCES, ECONNABORTED}, [](int error) {
    Accepting test;
    test.connect(error, kForEver);
    test.loop.runUntil([&] { return !test.loop.logLines().empty(); }, "the log line");

    int turns = 0;
    for (const TimePoint end = test.loop->now() + 1s; test.loop->now() < end; ++turns) {
      test.loop->iterate(end - test.loop->now());
    }
    simulatedKernel().failNext(sim::Call::kAccept, 0, 0);
    test.waitForAccepts(1);

    BOOST_TEST(turns < 100);
    BOOST_TEST(test.loop.logLines().size() == 1U);
  });
}

BOOST_AUTO_TEST_CASE(a_listener_may_stop_while_it_waits_for_means,
                     *precondition(onSimulatedKernel)) {
  forEachError({ENOMEM, EMFILE}, [](int error) {
    Accepting test;
    const Recorder& client = test.connect(error, kForEver);
    test.loop.runUntil([&] { return !test.loop.logLines().empty() && client.made(); }, "a pause");
    simulatedKernel().failNext(sim::Call::kAccept, 0, 0);

    test.listener.stopListening();
    const std::size_t served = test.servers.size();  // An accept may have won the race.
    test.loop.runUntil([&] { return client.lost || served == 1; }, "the end of who waited");
    test.loop.settle();

    BOOST_TEST(test.servers.size() == served);
    BOOST_TEST(test.loop.logLines().size() == 1U);
  });
}

BOOST_AUTO_TEST_SUITE_END()
