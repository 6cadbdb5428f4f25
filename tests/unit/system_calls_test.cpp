// SystemCalls: each does what its name says and returns -errno for a failure.
#include <penstock/runtime/owned_fd.h>
#include <penstock/runtime/system/clock_calls.h>
#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/runtime/system/pipe_calls.h>
#include <penstock/runtime/system/poll_calls.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/runtime/system/system_calls.h>
#include <penstock/tests/support/printing.h>
#include <penstock/tests/support/stream_pair.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

using namespace penstock;
using penstock::testing::SocketPair;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(system_calls_test)

namespace {

constexpr int kNoDescriptor = -1;

struct AllCalls : ClockCalls, DescriptorCalls, PipeCalls, PollCalls, SocketCalls {};

struct CallsFixture {
  AllCalls calls;

  std::string receive(int fd) {
    std::array<std::byte, 64> buffer{};
    const ssize_t count = calls.recv(fd, buffer, 0);
    BOOST_TEST_REQUIRE(count >= 0);
    return std::string(asText(Bytes(buffer).first(static_cast<std::size_t>(count))));
  }
};

iovec runOf(std::string_view text) { return {const_cast<char*>(text.data()), text.size()}; }

sockaddr_in anyLoopbackPort() {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

sockaddr* generic(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

}  // namespace

BOOST_FIXTURE_TEST_SUITE(the_system_calls, CallsFixture)

BOOST_AUTO_TEST_CASE(return_the_negative_errno_of_a_failure) {
  std::array<std::byte, 1> byte{};
  const iovec run = runOf("x");
  const int on = 1;

  BOOST_TEST(calls.recv(kNoDescriptor, byte, 0) == -EBADF);
  BOOST_TEST(calls.sendmsg(kNoDescriptor, {&run, 1}, 0) == -EBADF);
  BOOST_TEST(calls.listen(kNoDescriptor, 1) == -EBADF);
  BOOST_TEST(calls.accept4(kNoDescriptor, nullptr, nullptr, 0) == -EBADF);
  BOOST_TEST(calls.shutdown(kNoDescriptor, SHUT_WR) == -EBADF);
  BOOST_TEST(calls.close(kNoDescriptor) == -EBADF);
  BOOST_TEST(calls.setNonBlocking(kNoDescriptor, true) == -EBADF);
  BOOST_TEST(calls.setsockopt(kNoDescriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == -EBADF);
  BOOST_TEST(calls.epollCtl(kNoDescriptor, EPOLL_CTL_ADD, 0, nullptr) < 0);
  BOOST_TEST(calls.socket(AF_INET, 12345, 0) == -EINVAL);
}

BOOST_AUTO_TEST_CASE(tell_that_there_is_nothing_to_receive) {
  const SocketPair pair(SOCK_NONBLOCK);
  std::array<std::byte, 1> byte{};

  BOOST_TEST(calls.recv(pair.near.get(), byte, 0) == -EAGAIN);
}

BOOST_AUTO_TEST_CASE(send_one_run_and_several_alike) {
  const SocketPair pair(SOCK_NONBLOCK);
  const std::array<iovec, 3> runs{runOf("one "), runOf("two "), runOf("three")};

  BOOST_TEST(calls.sendmsg(pair.near.get(), std::span(runs).first(1), MSG_NOSIGNAL) == 4);
  BOOST_TEST(receive(pair.far.get()) == "one ");
  BOOST_TEST(calls.sendmsg(pair.near.get(), runs, MSG_NOSIGNAL) == 13);

  BOOST_TEST(receive(pair.far.get()) == "one two three");
}

BOOST_AUTO_TEST_CASE(report_a_closed_peer_without_a_signal) {
  SocketPair pair(SOCK_NONBLOCK);
  pair.far.reset();
  const iovec run = runOf("x");

  BOOST_TEST(calls.sendmsg(pair.near.get(), {&run, 1}, MSG_NOSIGNAL) == -EPIPE);
}

BOOST_AUTO_TEST_CASE(half_close_a_connection) {
  const SocketPair pair(SOCK_NONBLOCK);

  BOOST_TEST(calls.shutdown(pair.near.get(), SHUT_WR) == 0);

  BOOST_TEST(receive(pair.far.get()).empty());
}

BOOST_AUTO_TEST_CASE(switch_blocking_off_and_on) {
  const OwnedFd fd(calls.socket(AF_INET, SOCK_STREAM, 0));

  BOOST_TEST(calls.setNonBlocking(fd.get(), true) == 0);
  BOOST_TEST((::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) != 0);
  BOOST_TEST(calls.setNonBlocking(fd.get(), true) == 0);
  BOOST_TEST((::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) != 0);
  BOOST_TEST(calls.setNonBlocking(fd.get(), false) == 0);
  BOOST_TEST((::fcntl(fd.get(), F_GETFL) & O_NONBLOCK) == 0);
}

BOOST_AUTO_TEST_CASE(join_two_sockets_and_name_their_ends) {
  sockaddr_in address = anyLoopbackPort();
  socklen_t length = sizeof address;
  const OwnedFd listener(calls.socket(AF_INET, SOCK_STREAM, 0));
  const OwnedFd client(calls.socket(AF_INET, SOCK_STREAM, 0));

  BOOST_TEST(calls.bind(listener.get(), generic(address), sizeof address) == 0);
  BOOST_TEST(calls.listen(listener.get(), 1) == 0);
  BOOST_TEST(calls.getsockname(listener.get(), generic(address), &length) == 0);
  BOOST_TEST(calls.connect(client.get(), generic(address), sizeof address) == 0);
  const OwnedFd server(
      calls.accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));

  BOOST_REQUIRE(static_cast<bool>(server));
  BOOST_TEST((::fcntl(server.get(), F_GETFD) & FD_CLOEXEC) != 0);
  BOOST_TEST((::fcntl(server.get(), F_GETFL) & O_NONBLOCK) != 0);
  sockaddr_in peer{};
  length = sizeof peer;
  BOOST_TEST(calls.getpeername(client.get(), generic(peer), &length) == 0);
  BOOST_TEST(peer.sin_port == address.sin_port);
}

BOOST_AUTO_TEST_CASE(set_socket_options_and_read_them_back) {
  const OwnedFd fd(calls.socket(AF_INET, SOCK_STREAM, 0));
  const int on = 1;
  int found = 0;
  socklen_t length = sizeof found;

  BOOST_TEST(calls.setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) == 0);
  BOOST_TEST(calls.getsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &found, &length) == 0);

  BOOST_TEST(found == 1);
}

BOOST_AUTO_TEST_CASE(clear_in_one_go_what_was_signalled_often) {
  const OwnedFd event(calls.eventfd());
  const OwnedFd epoll(calls.epollCreate());
  epoll_event interest{};
  interest.events = EPOLLIN;
  std::array<epoll_event, 4> ready{};
  BOOST_TEST_REQUIRE(calls.epollCtl(epoll.get(), EPOLL_CTL_ADD, event.get(), &interest) == 0);
  BOOST_TEST(calls.epollWait(epoll.get(), ready, Duration::zero()) == 0);

  for (int i = 0; i < 3; ++i) calls.signalEvent(event.get());
  BOOST_TEST(calls.epollWait(epoll.get(), ready, std::nullopt) == 1);
  calls.clearEvent(event.get());
  calls.clearEvent(event.get());

  BOOST_TEST(calls.epollWait(epoll.get(), ready, Duration::zero()) == 0);
}

BOOST_AUTO_TEST_CASE(leave_errno_alone_when_signalling) {
  errno = ENOTTY;

  calls.signalEvent(kNoDescriptor);

  BOOST_TEST(errno == ENOTTY);
}

BOOST_AUTO_TEST_CASE(wait_as_long_as_asked_and_never_less) {
  const OwnedFd epoll(calls.epollCreate());
  std::array<epoll_event, 1> ready{};

  for (const Duration limit : {Duration(1), Duration(300us), Duration(1500us)}) {
    const TimePoint start = calls.now();
    BOOST_TEST(calls.epollWait(epoll.get(), ready, limit) == 0);
    BOOST_TEST(calls.now() - start >= limit);
  }
}

BOOST_AUTO_TEST_CASE(do_not_wait_for_a_time_that_has_passed) {
  const OwnedFd epoll(calls.epollCreate());
  std::array<epoll_event, 1> ready{};

  BOOST_TEST(calls.epollWait(epoll.get(), ready, Duration(-5s)) == 0);
}

BOOST_AUTO_TEST_CASE(move_bytes_between_descriptors_through_a_pipe) {
  const SocketPair from(SOCK_NONBLOCK), to(SOCK_NONBLOCK);
  int ends[2];
  BOOST_TEST_REQUIRE(calls.pipe(ends) == 0);
  const OwnedFd out(ends[0]), in(ends[1]);
  const iovec run = runOf("through the kernel");

  BOOST_TEST(calls.splice(from.far.get(), in.get(), 4096) == -EAGAIN);
  BOOST_TEST_REQUIRE(calls.sendmsg(from.near.get(), {&run, 1}, 0) == 18);
  BOOST_TEST(calls.splice(from.far.get(), in.get(), 4096) == 18);
  BOOST_TEST(calls.splice(out.get(), to.near.get(), 4096) == 18);

  BOOST_TEST(receive(to.far.get()) == "through the kernel");
  BOOST_TEST((::fcntl(in.get(), F_GETFL) & O_NONBLOCK) != 0);
}

BOOST_AUTO_TEST_CASE(hold_a_descriptor_in_reserve_that_closes_on_exec) {
  const OwnedFd reserve(calls.openReserve());

  BOOST_REQUIRE(static_cast<bool>(reserve));
  BOOST_TEST((::fcntl(reserve.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

BOOST_AUTO_TEST_SUITE_END()

namespace {

class NoSockets final : public SocketCalls {
 public:
  int socket(int, int, int) noexcept override { return -EPERM; }
};

}  // namespace

BOOST_AUTO_TEST_CASE(a_test_can_stand_in_for_one_shape_of_the_system_calls) {
  NoSockets none;
  PollCalls& kernel = pollCalls();

  const SystemCalls before = replaceSystemCalls({.socket = &none});
  BOOST_TEST(&socketCalls() == &none);
  BOOST_TEST(&pollCalls() == &kernel);
  BOOST_TEST(socketCalls().socket(AF_INET, SOCK_STREAM, 0) == -EPERM);

  BOOST_TEST(replaceSystemCalls(before).socket == &none);
  const OwnedFd fd(socketCalls().socket(AF_INET, SOCK_STREAM, 0));
  BOOST_TEST(static_cast<bool>(fd));
}

BOOST_AUTO_TEST_CASE(a_test_can_stand_in_for_all_shapes_at_once) {
  AllCalls all;

  const SystemCalls before = replaceSystemCalls({&all, &all, &all, &all, &all});

  BOOST_TEST(&clockCalls() == &all);
  BOOST_TEST(&descriptorCalls() == &all);
  BOOST_TEST(&pipeCalls() == &all);
  BOOST_TEST(&pollCalls() == &all);
  BOOST_TEST(&socketCalls() == &all);
  replaceSystemCalls(before);
  BOOST_TEST(&pipeCalls() != &all);
}

BOOST_AUTO_TEST_SUITE_END()
