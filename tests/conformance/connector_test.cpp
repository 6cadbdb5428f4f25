// Connecting a socket: success, refusal, giving up.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/forked_child.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <memory>
#include <optional>
#include <stdexcept>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(connector_test)

namespace {

// What the handler of one connect was told.
struct Outcome {
  int calls = 0;
  std::error_code why;
  OwnedFd fd;
};

PendingConnect& connect(ReactorFixture& loop, const SocketAddress& to, Outcome& outcome,
                        SocketFamily family = SocketFamily::kTcp) {
  return loop->openConnect(makeSocket(loop.reactor(), family), to.data(), to.length(),
                           [&outcome](std::error_code why, OwnedFd fd) {
                             ++outcome.calls;
                             outcome.why = why;
                             outcome.fd = std::move(fd);
                           });
}

// An address at which nobody listens any more.
SocketAddress deadAddress(ReactorFixture& loop, SocketFamily family) {
  return addressOf(makeListeningSocket(loop.reactor(), family).get());
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_connect_succeeds_once_and_never_from_inside_the_call) {
  for (const SocketFamily family : {SocketFamily::kTcp, SocketFamily::kUnix}) {
    Recorder server;
    Outcome outcome;
    ReactorFixture loop;
    Listener& listener = loop.listen([&] { return server.makeProtocol(); }, family);

    connect(loop, addressOf(listener.descriptor()), outcome, family);
    BOOST_TEST(outcome.calls == 0);
    loop.runUntil([&] { return outcome.calls > 0 && server.made(); }, "the connection");
    loop.settle();

    BOOST_TEST(outcome.calls == 1);
    BOOST_TEST(outcome.why == std::error_code());
    BOOST_TEST(outcome.fd);
  }
}

BOOST_AUTO_TEST_CASE(a_refused_connect_tells_why_once_and_never_from_inside_the_call) {
  for (const SocketFamily family : {SocketFamily::kTcp, SocketFamily::kUnix}) {
    Outcome outcome;
    ReactorFixture loop;
    const SocketAddress dead = deadAddress(loop, family);

    connect(loop, dead, outcome, family);
    BOOST_TEST(outcome.calls == 0);
    loop.runUntil([&] { return outcome.calls > 0; }, "the refusal");
    loop.settle();

    BOOST_TEST(outcome.calls == 1);
    BOOST_TEST(outcome.why == std::errc::connection_refused);
    BOOST_TEST(!outcome.fd);
  }
}

BOOST_AUTO_TEST_CASE(the_address_is_not_needed_after_the_call) {
  Recorder server;
  Outcome outcome;
  ReactorFixture loop;
  Listener& listener = loop.listen([&] { return server.makeProtocol(); });
  auto address = std::make_unique<SocketAddress>(addressOf(listener.descriptor()));

  connect(loop, *address, outcome);
  *address = {};
  address.reset();
  loop.runUntil([&] { return outcome.calls > 0; }, "the connection");

  BOOST_TEST(outcome.why == std::error_code());
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_the_handler_drops_ends_the_connection) {
  Recorder server;
  ReactorFixture loop;
  Listener& listener = loop.listen([&] { return server.makeProtocol(); });
  const SocketAddress to = addressOf(listener.descriptor());

  loop->openConnect(makeSocket(loop.reactor(), SocketFamily::kTcp), to.data(), to.length(),
                    [](std::error_code, OwnedFd) {});
  loop.runUntil([&] { return server.lost; }, "the end");

  BOOST_TEST(server.why == std::error_code());
}

BOOST_AUTO_TEST_CASE(a_cancelled_connect_is_never_heard_of) {
  Recorder server;
  Outcome outcome;
  ReactorFixture loop;
  Listener& listener = loop.listen([&] { return server.makeProtocol(); });

  connect(loop, addressOf(listener.descriptor()), outcome).cancel();
  loop.settle();
  if (server.made()) loop.runUntil([&] { return server.lost; }, "the end of what was accepted");

  BOOST_TEST(outcome.calls == 0);
}

BOOST_AUTO_TEST_CASE(a_refused_connect_may_be_cancelled_before_it_is_told) {
  Outcome outcome;
  ReactorFixture loop;

  connect(loop, deadAddress(loop, SocketFamily::kUnix), outcome, SocketFamily::kUnix).cancel();
  loop.settle();

  BOOST_TEST(outcome.calls == 0);
}

BOOST_AUTO_TEST_CASE(one_handler_may_cancel_the_other_connects) {
  Recorder server;
  std::vector<PendingConnect*> pending(3, nullptr);
  int calls = 0;
  ReactorFixture loop;
  const SocketAddress dead = deadAddress(loop, SocketFamily::kTcp);

  for (std::size_t i = 0; i < pending.size(); ++i) {
    pending[i] = &loop->openConnect(makeSocket(loop.reactor(), SocketFamily::kTcp), dead.data(),
                                    dead.length(), [&, i](std::error_code, OwnedFd) {
                                      ++calls;
                                      pending[i] = nullptr;
                                      for (PendingConnect*& other : pending) {
                                        if (other) other->cancel();
                                        other = nullptr;
                                      }
                                    });
  }
  loop.runUntil([&] { return calls > 0; }, "the first refusal");
  loop.settle();

  BOOST_TEST(calls == 1);
}

BOOST_AUTO_TEST_CASE(a_connect_under_way_is_told_when_the_reactor_goes) {
  Outcome outcome;
  {
    ReactorFixture loop;
    connect(loop, deadAddress(loop, SocketFamily::kTcp), outcome);
  }

  BOOST_TEST(outcome.calls == 1);
  BOOST_TEST(outcome.why);
}

BOOST_AUTO_TEST_CASE(an_empty_handler_is_refused_at_once) {
  for (const SocketFamily family : {SocketFamily::kTcp, SocketFamily::kUnix}) {
    ReactorFixture loop;
    const SocketAddress to = deadAddress(loop, family);

    BOOST_CHECK_THROW(
        loop->openConnect(makeSocket(loop.reactor(), family), to.data(), to.length(), {}),
        std::invalid_argument);
  }
}

// --- A connect that takes too long --------------------------------------------------------------

namespace {

// A listening socket whose queue is full, so that the next connect waits.
struct FullQueue {
  explicit FullQueue(ReactorFixture& loop)
      : listener(makeListeningSocket(loop.reactor(), SocketFamily::kTcp, 0)),
        address(addressOf(listener.get())) {
    for (int i = 0; i < 4; ++i) {
      waiting.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      ::connect(waiting.back().get(), address.data(), address.length());
    }
  }

  OwnedFd listener;
  SocketAddress address;
  std::vector<OwnedFd> waiting;
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_connect_that_waits_is_given_up_by_a_timer, *precondition(onRealKernel)) {
  Outcome outcome;
  bool timedOut = false;
  ReactorFixture loop;
  const FullQueue full(loop);

  PendingConnect& pending = connect(loop, full.address, outcome);
  loop->callLater(std::chrono::milliseconds(20), [&] {
    pending.cancel();
    timedOut = true;
  });
  loop.runUntil([&] { return timedOut; }, "the time limit");
  loop.settle();

  BOOST_TEST(outcome.calls == 0);
}

BOOST_AUTO_TEST_CASE(a_connect_that_waits_does_not_keep_the_reactor_from_going,
                     *precondition(onRealKernel)) {
  Outcome outcome;
  {
    ReactorFixture loop;
    const FullQueue full(loop);
    connect(loop, full.address, outcome);
    loop.settle();
    BOOST_TEST(outcome.calls == 0);
    loop.destroy();
  }

  BOOST_TEST(outcome.calls == 1);
  BOOST_TEST(outcome.why == ConnectionError::kLost);
}

// --- Giving up ----------------------------------------------------------------------------------

namespace {

// Whether something wakes the loop although there is nothing to do.
bool wakesForNothing(ReactorFixture& loop) {
  pollfd entry{loop->pollDescriptor(), POLLIN, 0};
  loop.settle();
  return ::poll(&entry, 1, 0) > 0;
}

int tcpState(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  BOOST_REQUIRE(::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) == 0);
  return info.tcpi_state;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_connect_that_was_given_up_keeps_no_descriptor, *precondition(onRealKernel)) {
  Outcome outcome;
  ReactorFixture loop;
  const FullQueue full(loop);
  loop.settle();
  const std::size_t before = openDescriptors();

  connect(loop, full.address, outcome).cancel();  // Before the kernel may have heard of it.
  loop.pollUntil([&] { return openDescriptors() == before; }, "the descriptor of the first");
  PendingConnect& waiting = connect(loop, full.address, outcome);
  loop.settle();
  waiting.cancel();
  loop.pollUntil([&] { return openDescriptors() == before; }, "the descriptor of the second");

  BOOST_TEST(outcome.calls == 0);
}

BOOST_AUTO_TEST_CASE(a_connect_that_was_given_up_is_over_for_copies_of_its_descriptor_too,
                     *precondition(onRealKernel)) {
  Outcome outcome;
  ReactorFixture loop;
  const FullQueue full(loop);
  OwnedFd fd = makeSocket(loop.reactor(), SocketFamily::kTcp);
  const OwnedFd copy(::dup(fd.get()));
  PendingConnect& pending =
      loop->openConnect(std::move(fd), full.address.data(), full.address.length(),
                        [&outcome](std::error_code, OwnedFd) { ++outcome.calls; });
  loop.settle();
  BOOST_TEST(tcpState(copy.get()) == TCP_SYN_SENT);

  pending.cancel();
  loop.settle();

  BOOST_TEST(tcpState(copy.get()) == TCP_CLOSE);
  BOOST_TEST(!wakesForNothing(loop));  // No event finds what is gone.
  BOOST_TEST(outcome.calls == 0);
}

BOOST_AUTO_TEST_CASE(giving_up_in_a_forked_child_ends_nothing_of_the_parents,
                     *precondition(onRealKernel)) {
  Outcome outcome;
  ReactorFixture loop;
  const FullQueue full(loop);
  OwnedFd fd = makeSocket(loop.reactor(), SocketFamily::kTcp);
  const OwnedFd copy(::dup(fd.get()));
  PendingConnect& pending =
      loop->openConnect(std::move(fd), full.address.data(), full.address.length(),
                        [&outcome](std::error_code, OwnedFd) { ++outcome.calls; });
  loop.settle();

  ForkedChild child([&] {
    pending.cancel();
    return 0;
  });
  BOOST_TEST(child.end() == "exit 0");
  loop.settle();
  BOOST_TEST(tcpState(copy.get()) == TCP_SYN_SENT);
  ::shutdown(copy.get(), SHUT_RDWR);  // The parent still hears of it.

  loop.runUntil([&] { return outcome.calls > 0; }, "the end");
}

BOOST_AUTO_TEST_CASE(a_connect_that_failed_is_over_for_copies_of_its_descriptor_too,
                     *precondition(onRealKernel)) {
  Outcome outcome;
  ReactorFixture loop;
  const SocketAddress dead = deadAddress(loop, SocketFamily::kTcp);
  OwnedFd fd = makeSocket(loop.reactor(), SocketFamily::kTcp);
  const OwnedFd copy(::dup(fd.get()));

  loop->openConnect(std::move(fd), dead.data(), dead.length(),
                    [&outcome](std::error_code, OwnedFd) { ++outcome.calls; });
  loop.runUntil([&] { return outcome.calls > 0; }, "the refusal");
  loop.settle();

  BOOST_TEST(!wakesForNothing(loop));
  BOOST_TEST(outcome.calls == 1);
}

BOOST_AUTO_TEST_SUITE_END()
