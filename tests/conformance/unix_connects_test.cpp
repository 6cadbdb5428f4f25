// Connecting to a UNIX socket whose backlog is full: waiting for room, without a thread each.
#include <penstock/runtime/errors.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <fcntl.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <deque>
#include <filesystem>
#include <iterator>
#include <memory>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using namespace std::chrono_literals;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(unix_connects_test)

namespace {

constexpr int kConnects = 12;  // More than fit into a backlog of 0.

struct Outcome {
  int calls = 0;
  std::error_code why;
  OwnedFd fd;
};

// Connects to a listening socket that nobody accepts from, until accept().
struct Crowd {
  std::deque<Outcome> outcomes;
  std::vector<PendingConnect*> pending;
  std::vector<int> order;  // In which they were told.
  std::vector<std::unique_ptr<Recorder>> served;
  ReactorFixture loop;
  OwnedFd listener = makeListeningSocket(loop.reactor(), SocketFamily::kUnix, 0);
  SocketAddress address = addressOf(listener.get());

  void connect(int count) {
    for (int i = 0; i < count; ++i) {
      const auto index = static_cast<int>(outcomes.size());
      Outcome& outcome = outcomes.emplace_back();
      pending.push_back(&loop->openConnect(
          makeSocket(loop.reactor(), SocketFamily::kUnix), address.data(), address.length(),
          [this, index, &outcome](std::error_code why, OwnedFd fd) {
            ++outcome.calls;
            outcome.why = why;
            outcome.fd = std::move(fd);
            order.push_back(index);
          }));
    }
  }

  int told() const {
    return static_cast<int>(std::ranges::count_if(outcomes, [](auto& each) { return each.calls; }));
  }

  void accept() {
    loop->openListener(std::move(listener), [this] {
      return served.emplace_back(std::make_unique<Recorder>())->makeProtocol();
    });
  }
};

std::ptrdiff_t threads() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
}

}  // namespace

BOOST_FIXTURE_TEST_CASE(connects_wait_for_room_and_are_let_in_one_after_the_other, Crowd) {
  connect(kConnects);
  BOOST_TEST(told() == 0);
  loop.settle();
  BOOST_TEST(told() < kConnects);

  accept();
  loop.runUntil([this] { return told() == kConnects; }, "all of them");

  for (const Outcome& outcome : outcomes) {
    BOOST_TEST(outcome.calls == 1);
    BOOST_TEST(!outcome.why);
  }
  BOOST_TEST(std::ranges::is_sorted(order));
}

BOOST_FIXTURE_TEST_CASE(who_comes_later_does_not_overtake, Crowd) {
  connect(kConnects);
  loop.settle();

  accept();
  connect(1);
  loop.runUntil([this] { return told() == kConnects + 1; }, "all of them");

  BOOST_TEST(order.back() == kConnects);
}

BOOST_FIXTURE_TEST_CASE(those_who_wait_are_refused_when_the_listener_goes, Crowd) {
  connect(kConnects);
  loop.settle();
  const int before = told();

  listener.reset();
  loop.runUntil([this] { return told() == kConnects; }, "all of them");

  BOOST_TEST(before < kConnects);
  for (int i = before; i < kConnects; ++i) {
    BOOST_TEST(outcomes[i].why == errorOf(-ECONNREFUSED));
  }
}

BOOST_FIXTURE_TEST_CASE(who_is_cancelled_while_waiting_lets_the_others_pass, Crowd) {
  connect(kConnects);
  loop.settle();
  const int before = told();

  for (int i = before; i + 1 < kConnects; ++i) pending[i]->cancel();
  accept();
  loop.runUntil([this] { return outcomes.back().calls > 0; }, "the one that is left");
  loop.settle();

  BOOST_TEST(told() == before + 1);
}

BOOST_FIXTURE_TEST_CASE(when_all_have_been_cancelled_nothing_is_left_to_do, Crowd) {
  connect(kConnects);
  loop.settle();

  for (int i = told(); i < kConnects; ++i) pending[i]->cancel();

  loop.runUntil([this] { return !loop->timeUntilDue(); }, "the last timer");
}

BOOST_FIXTURE_TEST_CASE(one_that_is_told_may_cancel_the_rest_and_connect_again, Crowd) {
  connect(kConnects);
  loop.settle();
  const int before = told();
  Outcome again;
  PendingConnect* last = std::exchange(pending.back(), nullptr);
  last->cancel();
  loop->openConnect(makeSocket(loop.reactor(), SocketFamily::kUnix), address.data(),
                    address.length(), [&](std::error_code, OwnedFd) {
                      loop->openConnect(makeSocket(loop.reactor(), SocketFamily::kUnix),
                                        address.data(), address.length(),
                                        [&](std::error_code why, OwnedFd) {
                                          ++again.calls;
                                          again.why = why;
                                        });
                    });

  for (int i = before; i + 1 < kConnects; ++i) pending[i]->cancel();
  accept();
  loop.runUntil([&] { return again.calls > 0; }, "the connect of the handler");

  BOOST_TEST(!again.why);
}

BOOST_FIXTURE_TEST_CASE(the_end_of_the_reactor_is_told_to_those_who_wait, Crowd) {
  connect(kConnects);
  loop.settle();
  const int before = told();

  loop.destroy();

  BOOST_TEST(told() == kConnects);
  for (int i = before; i < kConnects; ++i)
    BOOST_TEST(outcomes[i].why == make_error_code(ConnectionError::kLost));
}

BOOST_FIXTURE_TEST_CASE(three_hundred_that_wait_take_no_threads, Crowd,
                        *precondition(onRealKernel)) {
  const std::ptrdiff_t before = threads();

  connect(300);
  loop.settle();

  BOOST_TEST(told() < 300);
  BOOST_TEST(threads() <= before + 1);
  accept();
  loop.runUntil([this] { return told() == 300; }, "all of them");
}

BOOST_FIXTURE_TEST_CASE(those_who_wait_seldom_wake_the_loop, Crowd) {
  connect(300);
  loop.settle();

  int turns = 0;
  for (const TimePoint end = loop->now() + 500ms; loop->now() < end; ++turns) {
    loop->iterate(end - loop->now());
  }

  BOOST_TEST(turns < 60);
}

BOOST_FIXTURE_TEST_CASE(what_is_connected_blocks_or_not_as_the_family_wants_it, Crowd,
                        *precondition(onRealKernel)) {
  connect(kConnects);
  accept();
  loop.runUntil([this] { return told() == kConnects; }, "all of them");

  const bool wanted = (loop->socketFlags() & SOCK_NONBLOCK) != 0;
  for (const Outcome& outcome : outcomes) {
    const bool nonBlocking = (::fcntl(outcome.fd.get(), F_GETFL) & O_NONBLOCK) != 0;
    BOOST_TEST(nonBlocking == wanted);
  }
}

BOOST_AUTO_TEST_SUITE_END()
