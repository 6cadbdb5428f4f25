#include <boost/test/unit_test.hpp>

#include <penstock/runtime/system/descriptor_calls.h>
#include <penstock/runtime/system/poll_calls.h>
#include <penstock/runtime/system/socket_calls.h>
#include <penstock/sim/kernel.h>
#include <penstock/tests/support/printing.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace penstock {

BOOST_AUTO_TEST_SUITE(simulated_kernel_test)

namespace {

using namespace std::chrono_literals;

// A kernel of its own for each test.
struct Machine {
  explicit Machine(sim::Faults faults = sim::Faults::none(), std::uint64_t seed = 1)
      : kernel(seed, faults) {}

  OwnedFd socket() {
    return OwnedFd(socketCalls().socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  }

  OwnedFd listener(int backlog = 8, std::uint16_t port = 0) {
    OwnedFd fd = socket();
    bindError = bind(fd, INADDR_LOOPBACK, port);
    socketCalls().listen(fd.get(), backlog);
    return fd;
  }

  int bind(const OwnedFd& fd, in_addr_t host, std::uint16_t port) {
    const sockaddr_in address = addressOf(host, port);
    return socketCalls().bind(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                              sizeof address);
  }

  int connect(const OwnedFd& fd, in_addr_t host, std::uint16_t port) {
    const sockaddr_in address = addressOf(host, port);
    return socketCalls().connect(fd.get(), reinterpret_cast<const sockaddr*>(&address),
                                 sizeof address);
  }

  std::uint16_t portOf(const OwnedFd& fd) {
    sockaddr_in address{};
    socklen_t length = sizeof address;
    socketCalls().getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &length);
    return ntohs(address.sin_port);
  }

  int errorOf(const OwnedFd& fd) {
    int error = -1;
    socklen_t length = sizeof error;
    socketCalls().getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length);
    return error;
  }

  ssize_t send(const OwnedFd& fd, const std::string& text) {
    const iovec run{const_cast<char*>(text.data()), text.size()};
    return socketCalls().sendmsg(fd.get(), {&run, 1}, MSG_NOSIGNAL);
  }

  // What is received, or the result of the call in words.
  std::string receive(const OwnedFd& fd, std::size_t most = 100) {
    std::vector<std::byte> into(most);
    const ssize_t count = socketCalls().recv(fd.get(), into, 0);
    if (count == 0) return "(end)";
    if (count < 0) return "(" + std::string(strerrorname(static_cast<int>(-count))) + ")";
    return {reinterpret_cast<const char*>(into.data()), static_cast<std::size_t>(count)};
  }

  // The events of the one descriptor that `epoll` watches, within `limit`; 0 for none.
  std::uint32_t wait(const OwnedFd& epoll, Duration limit = 0ns) {
    std::array<epoll_event, 8> events;
    const int count = pollCalls().epollWait(epoll.get(), events, limit);
    return count == 1 ? events[0].events : 0;
  }

  void watch(const OwnedFd& epoll, int fd, std::uint32_t events, int operation = EPOLL_CTL_ADD) {
    epoll_event event{};
    event.events = events;
    BOOST_REQUIRE_EQUAL(pollCalls().epollCtl(epoll.get(), operation, fd, &event), 0);
  }

  bool isReported(const OwnedFd& epoll) { return wait(epoll) != 0; }

  static sockaddr_in addressOf(in_addr_t host, std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(host);
    address.sin_port = htons(port);
    return address;
  }

  static const char* strerrorname(int error) { return strerrorname_np(error); }

  sim::Kernel kernel;
  int bindError = 0;
};

std::uint32_t eventsOf(Machine& machine, const OwnedFd& fd) {
  const OwnedFd epoll(pollCalls().epollCreate());
  machine.watch(epoll, fd.get(), EPOLLIN | EPOLLOUT | EPOLLRDHUP);
  return machine.wait(epoll);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(connections)

BOOST_AUTO_TEST_CASE(the_end_of_input_follows_the_last_byte) {
  Machine machine;
  auto [near, far] = machine.kernel.pair(0, AF_INET);

  machine.send(far, "last words");
  far.reset();

  BOOST_TEST(machine.receive(near, 4) == "last");
  BOOST_TEST(machine.receive(near) == " words");
  BOOST_TEST(machine.receive(near) == "(end)");
}

BOOST_AUTO_TEST_CASE(a_half_closed_side_still_receives) {
  Machine machine;
  auto [near, far] = machine.kernel.pair(0, AF_INET);

  socketCalls().shutdown(near.get(), SHUT_WR);
  machine.send(far, "answer");

  BOOST_TEST(machine.receive(far) == "(end)");
  BOOST_TEST(machine.receive(near) == "answer");
  BOOST_TEST(machine.send(near, "more") == -EPIPE);
}

BOOST_AUTO_TEST_CASE(closing_with_unread_input_resets_the_peer) {
  for (const int domain : {AF_INET, AF_UNIX}) {
    Machine machine;
    auto [near, far] = machine.kernel.pair(0, domain);
    machine.send(far, "never read");
    machine.send(near, "read");

    near.reset();

    BOOST_TEST(machine.receive(far) == "read");
    BOOST_TEST(machine.receive(far) == "(ECONNRESET)");
    BOOST_TEST(machine.receive(far) == "(end)");
  }
}

BOOST_AUTO_TEST_CASE(closing_with_linger_zero_resets_the_peer) {
  Machine machine;
  auto [near, far] = machine.kernel.pair(0, AF_INET);
  const linger immediately{1, 0};

  socketCalls().setsockopt(near.get(), SOL_SOCKET, SO_LINGER, &immediately, sizeof immediately);
  near.reset();

  BOOST_TEST(eventsOf(machine, far) == (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP | EPOLLERR));
  BOOST_TEST(machine.errorOf(far) == ECONNRESET);
  BOOST_TEST(machine.errorOf(far) == 0);
}

BOOST_AUTO_TEST_CASE(the_first_send_to_a_closed_tcp_peer_seems_to_go) {
  Machine machine;
  auto [near, far] = machine.kernel.pair(0, AF_INET);
  far.reset();

  BOOST_TEST(machine.send(near, "into the void") == 13);
  BOOST_TEST(machine.send(near, "again") == -EPIPE);
  BOOST_TEST(machine.receive(near) == "(end)");
}

BOOST_AUTO_TEST_CASE(a_send_to_a_closed_unix_peer_fails_at_once) {
  Machine machine;
  auto [near, far] = machine.kernel.pair(0, AF_UNIX);
  far.reset();

  BOOST_TEST(machine.send(near, "into the void") == -EPIPE);
  BOOST_TEST(eventsOf(machine, near) == (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP));
}

BOOST_AUTO_TEST_CASE(connecting_to_nobody_is_refused) {
  Machine machine;
  OwnedFd client = machine.socket();

  BOOST_TEST(machine.connect(client, INADDR_LOOPBACK, 9) == -EINPROGRESS);
  BOOST_TEST((eventsOf(machine, client) & (EPOLLOUT | EPOLLERR)) == (EPOLLOUT | EPOLLERR));
  BOOST_TEST(machine.errorOf(client) == ECONNREFUSED);
}

BOOST_AUTO_TEST_CASE(connecting_to_a_far_host_never_ends) {
  Machine machine;
  OwnedFd client = machine.socket();

  BOOST_TEST(machine.connect(client, 0xc0000201, 80) == -EINPROGRESS);  // 192.0.2.1
  BOOST_TEST(eventsOf(machine, client) == 0U);
}

BOOST_AUTO_TEST_CASE(connects_beyond_the_backlog_wait_for_an_accept) {
  Machine machine;
  OwnedFd listener = machine.listener(1);
  std::array<OwnedFd, 3> clients;
  for (OwnedFd& client : clients) {
    client = machine.socket();
    machine.connect(client, INADDR_LOOPBACK, machine.portOf(listener));
  }
  BOOST_TEST(eventsOf(machine, clients[1]) == EPOLLOUT);
  BOOST_TEST(eventsOf(machine, clients[2]) == 0U);

  const OwnedFd accepted(socketCalls().accept4(listener.get(), nullptr, nullptr, 0));

  BOOST_TEST(eventsOf(machine, clients[2]) == EPOLLOUT);
}

BOOST_AUTO_TEST_CASE(a_listener_that_closes_resets_whom_it_never_accepted) {
  Machine machine;
  OwnedFd listener = machine.listener();
  OwnedFd client = machine.socket();
  machine.connect(client, INADDR_LOOPBACK, machine.portOf(listener));

  listener.reset();

  BOOST_TEST(machine.receive(client) == "(ECONNRESET)");
}

BOOST_AUTO_TEST_CASE(without_a_free_descriptor_a_connection_stays_in_the_queue) {
  Machine machine;
  OwnedFd listener = machine.listener();
  OwnedFd client = machine.socket();
  machine.connect(client, INADDR_LOOPBACK, machine.portOf(listener));

  machine.kernel.setDescriptorLimit(2);
  BOOST_TEST(socketCalls().accept4(listener.get(), nullptr, nullptr, 0) == -EMFILE);
  machine.kernel.setDescriptorLimit(3);
  const OwnedFd accepted(socketCalls().accept4(listener.get(), nullptr, nullptr, 0));

  BOOST_TEST(accepted.get() >= sim::Kernel::kFirstDescriptor);
}

BOOST_AUTO_TEST_CASE(a_port_belongs_to_one_listener) {
  Machine machine;
  OwnedFd first = machine.listener();
  OwnedFd other = machine.listener();
  const std::uint16_t port = machine.portOf(first);

  BOOST_TEST(port != 0);
  BOOST_TEST(port != machine.portOf(other));
  BOOST_TEST(machine.bind(machine.socket(), INADDR_LOOPBACK, port) == -EADDRINUSE);
  BOOST_TEST(machine.bind(machine.socket(), INADDR_ANY, port) == -EADDRINUSE);
  first.reset();
  BOOST_TEST(machine.bind(machine.socket(), INADDR_LOOPBACK, port) == 0);
}

BOOST_AUTO_TEST_CASE(a_closed_number_is_given_to_the_next_descriptor) {
  Machine machine;
  OwnedFd first = machine.socket();
  OwnedFd second = machine.socket();
  const int number = first.get();

  first.reset();

  BOOST_TEST(machine.socket().get() == number);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(readiness)

BOOST_AUTO_TEST_CASE(a_level_is_reported_until_it_is_gone) {
  Machine machine;
  auto [near, far] = machine.kernel.pair(0);
  const OwnedFd epoll(pollCalls().epollCreate());
  machine.watch(epoll, near.get(), EPOLLIN);

  machine.send(far, "x");

  BOOST_TEST(machine.isReported(epoll));
  BOOST_TEST(machine.isReported(epoll));
  machine.receive(near);
  BOOST_TEST(!machine.isReported(epoll));
}

BOOST_AUTO_TEST_CASE(an_edge_is_reported_once_for_each_arrival) {
  Machine machine;
  auto [near, far] = machine.kernel.pair(0);
  const OwnedFd epoll(pollCalls().epollCreate());
  machine.watch(epoll, near.get(), EPOLLIN | EPOLLET);

  machine.send(far, "x");

  BOOST_TEST(machine.isReported(epoll));
  BOOST_TEST(!machine.isReported(epoll));
  machine.send(far, "y");
  BOOST_TEST(machine.isReported(epoll));
}

BOOST_AUTO_TEST_CASE(changing_the_interest_reports_an_edge_again) {
  Machine machine;
  auto [near, far] = machine.kernel.pair(0);
  const OwnedFd epoll(pollCalls().epollCreate());
  machine.watch(epoll, near.get(), EPOLLIN | EPOLLET);
  machine.send(far, "x");
  BOOST_TEST(machine.isReported(epoll));

  machine.watch(epoll, near.get(), EPOLLIN | EPOLLOUT | EPOLLET, EPOLL_CTL_MOD);

  BOOST_TEST(machine.isReported(epoll));
}

BOOST_AUTO_TEST_CASE(an_edge_tells_of_space_after_a_full_buffer) {
  Machine machine;
  auto [near, far] = machine.kernel.pair(0);
  const OwnedFd epoll(pollCalls().epollCreate());
  machine.watch(epoll, near.get(), EPOLLOUT | EPOLLET);
  BOOST_TEST(machine.isReported(epoll));

  const std::string much(1 << 20, 'x');
  const ssize_t taken = machine.send(near, much);
  BOOST_TEST(taken > 0);
  BOOST_TEST(taken < static_cast<ssize_t>(much.size()));
  BOOST_TEST(machine.send(near, much) == -EAGAIN);
  BOOST_TEST(!machine.isReported(epoll));

  machine.receive(far, much.size());
  BOOST_TEST(machine.isReported(epoll));
  BOOST_TEST(!machine.isReported(epoll));
}

BOOST_AUTO_TEST_CASE(interest_ends_with_the_file) {
  Machine machine;
  auto [near, far] = machine.kernel.pair(0);
  const OwnedFd epoll(pollCalls().epollCreate());
  machine.watch(epoll, near.get(), EPOLLIN);
  machine.send(far, "x");

  near.reset();

  BOOST_TEST(!machine.isReported(epoll));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(time_and_chance)

BOOST_AUTO_TEST_CASE(an_idle_wait_jumps_to_its_deadline) {
  Machine machine;
  const OwnedFd epoll(pollCalls().epollCreate());
  const TimePoint before = machine.kernel.now();
  const TimePoint realBefore = Clock::now();

  machine.wait(epoll, 24h);

  BOOST_TEST(machine.kernel.now() - before >= 24h);
  BOOST_TEST(Clock::now() - realBefore < 1h);
}

BOOST_AUTO_TEST_CASE(another_thread_ends_a_wait_without_limit) {
  Machine machine;
  const OwnedFd epoll(pollCalls().epollCreate());
  const OwnedFd event(pollCalls().eventfd());
  machine.watch(epoll, event.get(), EPOLLIN);
  std::thread other([&] { pollCalls().signalEvent(event.get()); });

  std::array<epoll_event, 1> events;
  const int count = pollCalls().epollWait(epoll.get(), events, std::nullopt);

  other.join();
  BOOST_TEST(count == 1);
}

BOOST_AUTO_TEST_CASE(a_wait_that_nothing_can_end_is_a_deadlock) {
  Machine machine;
  std::vector<std::string> violations;
  machine.kernel.onViolation([&](const std::string& what) { violations.push_back(what); });
  machine.kernel.setDeadlockPatience(1ms);
  const OwnedFd epoll(pollCalls().epollCreate());

  std::array<epoll_event, 1> events;
  pollCalls().epollWait(epoll.get(), events, std::nullopt);

  BOOST_TEST_REQUIRE(violations.size() == 1);
  BOOST_TEST(violations[0].starts_with("simulated deadlock"));
}

BOOST_AUTO_TEST_CASE(closing_twice_is_a_violation) {
  Machine machine;
  std::vector<std::string> violations;
  machine.kernel.onViolation([&](const std::string& what) { violations.push_back(what); });
  const int fd = machine.socket().release();

  descriptorCalls().close(fd);
  BOOST_TEST(violations.empty());
  descriptorCalls().close(fd);

  BOOST_TEST(violations.size() == 1);
}

namespace {

// What a reader sees of 2,000 bytes under `seed`.
std::vector<std::string> storyOf(std::uint64_t seed) {
  Machine machine(sim::Faults::benign(), seed);
  auto [near, far] = machine.kernel.pair(0, AF_INET);
  const OwnedFd epoll(pollCalls().epollCreate());
  machine.watch(epoll, near.get(), EPOLLIN | EPOLLET);
  std::vector<std::string> story;
  std::size_t sent = 0;
  std::size_t received = 0;
  for (int i = 0; i < 1000 && received < 2000; ++i) {
    const ssize_t count = machine.send(far, std::string(2000 - sent, 'x'));
    if (count > 0) sent += static_cast<std::size_t>(count);
    machine.wait(epoll, 1ms);
    story.push_back(machine.receive(near, 500));
    if (story.back()[0] == 'x') received += story.back().size();
  }
  BOOST_TEST(received == 2000U);
  return story;
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_same_seed_tells_the_same_story) {
  BOOST_TEST(storyOf(7) == storyOf(7), boost::test_tools::per_element());
  BOOST_TEST(storyOf(7) != storyOf(8));
}

BOOST_AUTO_TEST_CASE(a_broken_connection_is_an_error_at_both_ends) {
  Machine machine;
  auto [near, far] = machine.kernel.pair(0, AF_INET);

  machine.kernel.breakConnection(near.get());

  BOOST_TEST(machine.receive(near) == "(ECONNRESET)");
  BOOST_TEST(machine.receive(far) == "(ECONNRESET)");
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()

}  // namespace penstock
