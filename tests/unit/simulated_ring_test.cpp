#include <boost/test/unit_test.hpp>

#include <penstock/runtime/system/socket_calls.h>
#include <penstock/runtime/uring/buffer_ring.h>
#include <penstock/runtime/uring/ring.h>
#include <penstock/sim/kernel.h>
#include <penstock/tests/support/printing.h>

#include <poll.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace penstock::uring {

BOOST_AUTO_TEST_SUITE(simulated_ring_test)

namespace {

using namespace std::chrono_literals;

// A kernel with one ring and one connection, for one test.
struct Machine {
  explicit Machine(sim::Faults faults = sim::Faults::none(), std::uint64_t seed = 1)
      : kernel(seed, faults) {
    kernel.onViolation([this](const std::string& what) { violations.push_back(what); });
    ring = std::make_unique<Ring>(ringCalls(), ringCalls().features());
    std::tie(near, far) = kernel.pair(0, AF_INET);
  }

  template <class Prepare>
  void submit(std::uint64_t name, Prepare prepare) {
    io_uring_sqe& entry = ring->nextEntry();
    prepare(entry);
    entry.user_data = name;
  }

  void receive(std::uint64_t name) {
    submit(name, [this](io_uring_sqe& entry) {
      io_uring_prep_recv(&entry, near.get(), into.data(), into.size(), 0);
    });
  }

  void receiveMultishot(std::uint64_t name, std::uint16_t flags = IORING_RECV_MULTISHOT) {
    submit(name, [&](io_uring_sqe& entry) {
      io_uring_prep_recv(&entry, near.get(), nullptr, 0, 0);
      entry.flags |= IOSQE_BUFFER_SELECT;
      entry.ioprio |= flags;
    });
  }

  void sendAll(std::uint64_t name, const std::string& text) {
    submit(name, [&](io_uring_sqe& entry) {
      io_uring_prep_send(&entry, near.get(), text.data(), text.size(), MSG_WAITALL | MSG_NOSIGNAL);
    });
  }

  void cancel(std::uint64_t name, std::uint64_t target) {
    submit(name, [&](io_uring_sqe& entry) { io_uring_prep_cancel64(&entry, target, 0); });
  }

  void sendFromFar(const std::string& text) {
    const iovec run{const_cast<char*>(text.data()), text.size()};
    BOOST_REQUIRE_EQUAL(socketCalls().sendmsg(far.get(), {&run, 1}, MSG_NOSIGNAL), text.size());
  }

  // The completions of one turn that waits for at least `least`, up to a virtual second.
  std::vector<io_uring_cqe> enter(unsigned least = 0) {
    std::vector<io_uring_cqe> found;
    ring->enter(least, 1s);
    ring->reap(1000, [&](const io_uring_cqe& completion) { found.push_back(completion); });
    return found;
  }

  std::vector<std::string> violations;
  sim::Kernel kernel;
  std::unique_ptr<Ring> ring;
  OwnedFd near, far;
  std::array<char, 100> into{};
};

bool hasMore(const io_uring_cqe& completion) { return completion.flags & IORING_CQE_F_MORE; }

}  // namespace

BOOST_AUTO_TEST_SUITE(requests)

BOOST_AUTO_TEST_CASE(a_receive_waits_for_bytes) {
  Machine machine;
  machine.receive(1);
  BOOST_TEST(machine.enter(1).empty());

  machine.sendFromFar("hello");
  const auto completions = machine.enter(1);

  BOOST_TEST_REQUIRE(completions.size() == 1);
  BOOST_TEST(completions[0].user_data == 1U);
  BOOST_TEST(completions[0].res == 5);
  BOOST_TEST(std::string(machine.into.data(), 5) == "hello");
}

BOOST_AUTO_TEST_CASE(a_cancellation_that_fails_as_ordered_leaves_the_receive_in_flight) {
  Machine machine;
  machine.kernel.failNext(sim::Call::kCancel, EALREADY);
  machine.receive(1);
  machine.cancel(2, 1);

  const auto refused = machine.enter(1);
  machine.sendFromFar("hello");
  const auto received = machine.enter(1);

  BOOST_TEST_REQUIRE(refused.size() == 1);
  BOOST_TEST(refused[0].user_data == 2U);
  BOOST_TEST(refused[0].res == -EALREADY);
  BOOST_TEST_REQUIRE(received.size() == 1);
  BOOST_TEST(received[0].res == 5);
}

BOOST_AUTO_TEST_CASE(closing_a_descriptor_does_not_end_a_receive_in_flight) {
  Machine machine;
  machine.receive(1);
  machine.enter();

  machine.near.reset();
  machine.sendFromFar("too late");
  const auto completions = machine.enter(1);

  BOOST_TEST_REQUIRE(completions.size() == 1);
  BOOST_TEST(completions[0].res == 8);
}

BOOST_AUTO_TEST_CASE(a_multishot_receive_ends_at_the_end_of_input) {
  Machine machine;
  const auto buffers = BufferRing::create(*machine.ring, 0, 4, 16);
  machine.receiveMultishot(1);
  machine.sendFromFar("first");
  const auto first = machine.enter(1);
  machine.far.reset();
  const auto last = machine.enter(1);

  BOOST_TEST_REQUIRE(first.size() == 1);
  BOOST_TEST(first[0].res == 5);
  BOOST_TEST(hasMore(first[0]));
  BOOST_TEST((first[0].flags & IORING_CQE_F_BUFFER) != 0U);
  BOOST_TEST_REQUIRE(last.size() == 1);
  BOOST_TEST(last[0].res == 0);
  BOOST_TEST(!hasMore(last[0]));
}

BOOST_AUTO_TEST_CASE(a_multishot_receive_ends_when_no_buffer_is_left) {
  Machine machine;
  const auto buffers = BufferRing::create(*machine.ring, 0, 2, 16);
  machine.receiveMultishot(1);
  machine.sendFromFar(std::string(48, 'x'));

  const auto completions = machine.enter(3);

  BOOST_TEST_REQUIRE(completions.size() == 3);
  BOOST_TEST(completions[0].res == 16);
  BOOST_TEST(hasMore(completions[1]));
  BOOST_TEST(completions[2].res == -ENOBUFS);
  BOOST_TEST(!hasMore(completions[2]));
}

BOOST_AUTO_TEST_CASE(a_send_of_all_goes_on_as_the_reader_takes) {
  Machine machine;
  const std::string much(1 << 20, 'x');
  machine.sendAll(1, much);
  BOOST_TEST(machine.enter().empty());

  std::vector<std::byte> taken(much.size());
  std::size_t received = 0;
  std::vector<io_uring_cqe> completions;
  for (int turns = 0; turns < 100 && completions.empty(); ++turns) {
    received += static_cast<std::size_t>(socketCalls().recv(machine.far.get(), taken, 0));
    completions = machine.enter();
  }

  BOOST_TEST_REQUIRE(completions.size() == 1);
  BOOST_TEST(completions[0].res == static_cast<int>(much.size()));
  BOOST_TEST(received < much.size());
}

BOOST_AUTO_TEST_CASE(a_timeout_ends_at_its_time_or_after_its_count) {
  Machine machine;
  __kernel_timespec hour{3600, 0};
  const auto timeout = [&](unsigned count) {
    return [&hour, count](io_uring_sqe& entry) { io_uring_prep_timeout(&entry, &hour, count, 0); };
  };
  machine.submit(1, timeout(1));
  machine.submit(2, [](io_uring_sqe& entry) { io_uring_prep_nop(&entry); });
  const auto counted = machine.enter(2);
  machine.submit(3, timeout(0));
  const TimePoint before = machine.kernel.now();
  machine.ring->enter(1, std::nullopt);
  const auto timed = machine.enter();

  BOOST_TEST_REQUIRE(counted.size() == 2);
  BOOST_TEST(counted[1].res == 0);
  BOOST_TEST_REQUIRE(timed.size() == 1);
  BOOST_TEST(timed[0].res == -ETIME);
  BOOST_TEST(machine.kernel.now() - before >= 1h);
}

BOOST_AUTO_TEST_CASE(more_completions_than_the_queue_holds_are_kept) {
  Machine machine;
  const unsigned many = 3 * 4 * machine.ring->entries();
  for (unsigned i = 0; i < many; ++i) {
    machine.submit(i, [](io_uring_sqe& entry) { io_uring_prep_nop(&entry); });
  }

  std::set<std::uint64_t> seen;
  for (int turns = 0; turns < 100 && seen.size() < many; ++turns) {
    machine.ring->enter(0, std::nullopt);
    machine.ring->reap(many, [&](const io_uring_cqe& cqe) { seen.insert(cqe.user_data); });
  }

  BOOST_TEST(seen.size() == many);
}

BOOST_AUTO_TEST_CASE(a_ring_is_made_smaller_where_memory_is_short) {
  sim::Kernel kernel(1, sim::Faults::none());

  kernel.setLargestRing(128);
  const Ring ring(ringCalls(), ringCalls().features());

  BOOST_TEST(ring.entries() == 128U);
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(cancellation)

BOOST_AUTO_TEST_CASE(a_cancel_ends_what_waits) {
  Machine machine;
  machine.receive(1);
  machine.cancel(2, 1);
  machine.cancel(3, 1);

  const auto completions = machine.enter(3);

  BOOST_TEST_REQUIRE(completions.size() == 3);
  BOOST_TEST(completions[0].res == -ECANCELED);
  BOOST_TEST(completions[1].res == 0);
  BOOST_TEST(completions[2].res == -ENOENT);
}

namespace {

// The results of a receive and of its cancel when bytes are there already, and whether the
// receive completed first.
struct Race {
  int received;
  int cancelled;
  bool inOrder;
  auto operator<=>(const Race&) const = default;
};

Race raceWith(std::uint64_t seed) {
  sim::Faults faults;
  faults.delay = faults.interrupted = 0.5;
  faults.lostCancel = 0.5;
  Machine machine(faults, seed);
  machine.kernel.exempt(machine.far.get());
  machine.receive(1);
  machine.sendFromFar("bytes");
  machine.cancel(2, 1);
  Race race{};
  std::vector<std::uint64_t> order;
  for (int turns = 0; turns < 100 && order.size() < 2; ++turns) {
    for (const io_uring_cqe& completion : machine.enter()) {
      (completion.user_data == 1 ? race.received : race.cancelled) = completion.res;
      order.push_back(completion.user_data);
    }
  }
  BOOST_REQUIRE_EQUAL(order.size(), 2U);
  race.inOrder = order[0] == 1;
  machine.kernel.setFaults(sim::Faults::none());
  machine.enter(1);  // A virtual second: what is late has arrived.
  std::array<std::byte, 10> rest;
  const ssize_t left = socketCalls().recv(machine.near.get(), rest, 0);
  BOOST_TEST(left == (race.received == 5 ? -EAGAIN : 5));  // Neither lost nor doubled.
  return race;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_cancel_may_lose_the_race_in_every_way) {
  std::set<Race> seen;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) seen.insert(raceWith(seed));

  BOOST_TEST(seen.contains({-ECANCELED, 0, true}));
  BOOST_TEST(seen.contains({-EINTR, 0, true}));
  BOOST_TEST(seen.contains({5, -ENOENT, true}));
  BOOST_TEST(seen.contains({5, -EALREADY, true}));
  BOOST_TEST(seen.contains({5, -EALREADY, false}));
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(violations)

BOOST_AUTO_TEST_CASE(two_sends_on_one_socket_are_a_violation) {
  Machine machine;
  const std::string much(1 << 20, 'x');

  machine.sendAll(1, much);
  machine.enter();
  BOOST_TEST(machine.violations.empty());
  machine.sendAll(2, much);
  machine.enter();

  BOOST_TEST_REQUIRE(machine.violations.size() == 1);
  BOOST_TEST(machine.violations[0].starts_with("two sends in flight"));
  machine.far.reset();  // Which ends them.
  machine.enter();
}

BOOST_AUTO_TEST_CASE(bytes_that_change_during_a_send_are_a_violation) {
  Machine machine;
  std::string much(1 << 20, 'x');
  machine.sendAll(1, much);
  machine.enter();

  much.back() = 'y';
  std::vector<std::byte> taken(much.size());
  socketCalls().recv(machine.far.get(), taken, 0);
  machine.enter();

  BOOST_TEST(!machine.violations.empty());
  machine.far.reset();
  machine.enter();
}

BOOST_AUTO_TEST_CASE(closing_a_ring_with_a_request_in_flight_is_a_violation) {
  Machine machine;
  machine.receive(1);
  machine.enter();

  machine.ring.reset();

  BOOST_TEST_REQUIRE(machine.violations.size() == 1);
  BOOST_TEST(machine.violations[0] == "a ring was closed with 1 requests in flight");
}

BOOST_AUTO_TEST_CASE(a_buffer_provided_twice_is_a_violation) {
  Machine machine;
  const auto buffers = BufferRing::create(*machine.ring, 0, 4, 16);
  machine.receiveMultishot(1, 0);
  machine.sendFromFar("hello");
  const auto completions = machine.enter(1);
  BOOST_TEST_REQUIRE(completions.size() == 1);
  BOOST_TEST(machine.violations.empty());

  Block& block = buffers->filled(completions[0].flags);
  block.release();
  buffers->blockReleased(block);
  machine.receiveMultishot(2, IORING_RECV_MULTISHOT);
  machine.sendFromFar(std::string(64, 'x'));
  machine.enter();

  BOOST_TEST(!machine.violations.empty());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE_END()

}  // namespace penstock::uring
