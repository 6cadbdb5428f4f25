// watch(): descriptors of somebody else's.
#include <penstock/runtime/errors.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <utility>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(watch_test)

namespace {

// Two connected sockets that are nobody's.
struct Sockets {
  Sockets() {
    if (testBackend().simulated) {
      std::tie(near, far) = simulatedKernel().pair(0);
      simulatedKernel().exempt(near.get());
      simulatedKernel().exempt(far.get());
      return;
    }
    int ends[2];
    BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    near = OwnedFd(ends[0]);
    far = OwnedFd(ends[1]);
  }

  void write() const {
    char byte = 'x';
    iovec run{&byte, 1};
    BOOST_REQUIRE(socketCalls().sendmsg(far.get(), {&run, 1}, MSG_NOSIGNAL | MSG_DONTWAIT) == 1);
  }

  // What is there, as recv(2) tells it.
  ssize_t read() const {
    std::array<std::byte, 64> into;
    return socketCalls().recv(near.get(), into, MSG_DONTWAIT);
  }

  OwnedFd near, far;
};

constexpr Interest kReadable{.readable = true};
constexpr Interest kWritable{.writable = true};
constexpr Interest kBoth{.readable = true, .writable = true};

}  // namespace

BOOST_AUTO_TEST_CASE(what_is_ready_is_told_in_each_turn_until_it_is_not) {
  ReactorFixture loop;
  const Sockets sockets;
  int told = 0, toldAfter = 0;
  bool read = false;
  Watch& watch = loop->watch(sockets.near.get(), kReadable, [&](const Ready& ready) {
    BOOST_TEST(ready.readable);
    BOOST_TEST(!ready.writable);
    toldAfter += read;
    if (++told >= 3) read = sockets.read() == 1;
  });
  loop.settle();
  BOOST_TEST(told == 0);

  sockets.write();
  loop.runUntil([&] { return read; }, "three turns");
  loop.settle();

  BOOST_TEST(toldAfter == 0);
  watch.stop();
}

BOOST_AUTO_TEST_CASE(interest_changes_what_is_told_also_from_inside_the_handler) {
  ReactorFixture loop;
  const Sockets sockets;
  sockets.write();
  int readable = 0, writable = 0;
  Watch* watch = nullptr;
  watch = &loop->watch(sockets.near.get(), kWritable, [&](const Ready& ready) {
    readable += ready.readable;
    writable += ready.writable;
    watch->change(ready.writable ? kReadable : Interest{});
  });

  loop.runUntil([&] { return readable == 1; }, "both to be told");
  loop.settle();

  BOOST_TEST(writable == 1);
  BOOST_TEST(readable == 1);
  watch->change(kBoth);
  loop.runUntil([&] { return writable == 2; }, "it to go on");
  watch->stop();
}

BOOST_AUTO_TEST_CASE(no_interest_tells_nothing_whatever_happens) {
  ReactorFixture loop;
  Sockets sockets;
  int told = 0;
  Watch& watch = loop->watch(sockets.near.get(), kReadable, [&](const Ready&) { ++told; });
  loop.settle();

  watch.change({});
  sockets.write();
  sockets.far.reset();
  loop.settle();

  BOOST_TEST(told == 0);
  watch.stop();
}

BOOST_AUTO_TEST_CASE(a_peer_that_is_gone_makes_ready_what_was_asked_for) {
  ReactorFixture loop;
  Sockets sockets;
  int told = 0;
  Watch* watch = nullptr;
  watch = &loop->watch(sockets.near.get(), kReadable, [&](const Ready& ready) {
    BOOST_TEST(ready.readable);
    BOOST_TEST(sockets.read() == 0);
    ++told;
    watch->stop();
  });

  sockets.far.reset();
  loop.runUntil([&] { return told > 0; }, "the end to be told");
  loop.settle();

  BOOST_TEST(told == 1);
}

BOOST_AUTO_TEST_CASE(a_watch_that_was_stopped_tells_nothing_and_its_descriptor_may_be_closed) {
  ReactorFixture loop;
  Sockets sockets;
  int told = 0;
  Watch& watch = loop->watch(sockets.near.get(), kReadable, [&](const Ready&) { ++told; });
  loop.settle();
  sockets.write();

  watch.stop();
  sockets.near.reset();

  // The peer sees the end at once: nothing of the loop keeps the description open.
  std::array<std::byte, 1> into;
  const ssize_t result = socketCalls().recv(sockets.far.get(), into, MSG_DONTWAIT);
  BOOST_TEST((result == 0 || result == -ECONNRESET));
  loop.settle();
  BOOST_TEST(told == 0);
}

BOOST_AUTO_TEST_CASE(a_number_used_again_has_a_watch_of_its_own) {
  ReactorFixture loop;
  int first = 0, second = 0;
  Sockets sockets;
  loop->watch(sockets.near.get(), kReadable, [&](const Ready&) { ++first; }).stop();
  sockets = Sockets();
  Watch& watch = loop->watch(sockets.near.get(), kReadable, [&](const Ready&) {
    ++second;
    BOOST_TEST(sockets.read() == 1);
  });

  sockets.write();
  loop.runUntil([&] { return second > 0; }, "the second to be told");

  BOOST_TEST(first == 0);
  watch.stop();
}

BOOST_AUTO_TEST_CASE(disconnectAll_ends_watches_and_tells_them) {
  ReactorFixture loop;
  const Sockets sockets;
  std::error_code lost;
  int told = 0;
  loop->watch(sockets.near.get(), kReadable, [&](const Ready& ready) {
    ++told;
    lost = ready.lost;
  });
  loop.settle();

  loop->disconnectAll();
  sockets.write();
  loop.settle();

  BOOST_TEST(told == 1);
  BOOST_TEST(lost == ConnectionError::kLost);
}

BOOST_AUTO_TEST_CASE(a_handler_that_throws_is_logged_and_its_watch_is_over) {
  ReactorFixture loop;
  const Sockets sockets;
  int told = 0;
  loop->watch(sockets.near.get(), kReadable, [&](const Ready&) {
    ++told;
    throw std::runtime_error("no use");
  });

  sockets.write();
  loop.runUntil([&] { return !loop.logLines().empty(); }, "the log");
  loop.settle();

  BOOST_TEST(told == 1);
  BOOST_TEST(loop.logLines().at(0) == "penstock: exception from a watch handler: no use");
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_is_none_is_told_to_the_handler,
                     *boost::unit_test::precondition(onRealKernel)) {
  ReactorFixture loop;
  std::error_code lost;
  loop->watch(100'000, kReadable, [&](const Ready& ready) { lost = ready.lost; });

  loop.runUntil([&] { return static_cast<bool>(lost); }, "the refusal");

  BOOST_TEST(lost == std::errc::bad_file_descriptor);
  BOOST_CHECK_THROW(loop->watch(-1, kReadable, [](const Ready&) {}), std::invalid_argument);
  BOOST_CHECK_THROW(loop->watch(0, kReadable, {}), std::invalid_argument);
}

BOOST_AUTO_TEST_CASE(a_regular_file_is_always_ready,
                     *boost::unit_test::precondition(onRealKernel)) {
  ReactorFixture loop;
  const OwnedFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  int told = 0;
  Watch& watch = loop->watch(file.get(), kReadable, [&](const Ready& ready) {
    BOOST_TEST(ready.readable);
    ++told;
  });

  loop.runUntil([&] { return told == 3; }, "three turns");

  watch.stop();
  loop.settle();
  BOOST_TEST(told == 3);
}

BOOST_AUTO_TEST_SUITE_END()
