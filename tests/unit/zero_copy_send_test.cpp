// What is sent without a copy, and what is learned from the kernel's reports, on a simulated one.
#include <penstock/runtime/uring/ring_calls.h>
#include <penstock/sim/kernel.h>
#include <penstock/tests/support/backend.h>
#include <penstock/tests/support/reactor_fixture.h>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

using namespace penstock;
using namespace penstock::testing;

BOOST_AUTO_TEST_SUITE(zero_copy_send_test)

namespace {

constexpr std::size_t kKiB = 1024;

// Counts sends by their kind as they are handed over.
class CountingCalls final : public uring::RingCalls {
 public:
  CountingCalls() : next_(*uring::replaceRingCalls(this)) {}
  ~CountingCalls() override { uring::replaceRingCalls(&next_); }

  int setup(unsigned entries, io_uring& ring, io_uring_params& params) noexcept override {
    return next_.setup(entries, ring, params);
  }
  void exit(io_uring& ring) noexcept override { next_.exit(ring); }
  int enter(io_uring& ring, unsigned submit, unsigned waitFor, unsigned flags,
            std::optional<Duration> timeout) noexcept override {
    const unsigned head = *ring.sq.khead;
    const int taken = next_.enter(ring, submit, waitFor, flags, timeout);
    for (unsigned place = head; place != *ring.sq.khead; ++place) {
      count(ring.sq.sqes[place & *ring.sq.kring_mask].opcode);
    }
    return taken;
  }
  int registerWith(io_uring& ring, unsigned opcode, void* argument,
                   unsigned count) noexcept override {
    return next_.registerWith(ring, opcode, argument, count);
  }
  std::uint32_t features() noexcept override { return next_.features(); }

  int copied = 0;
  int notCopied = 0;

 private:
  void count(int opcode) noexcept {
    if (opcode == IORING_OP_SEND || opcode == IORING_OP_SENDMSG) ++copied;
    if (opcode == IORING_OP_SEND_ZC || opcode == IORING_OP_SENDMSG_ZC) ++notCopied;
  }

  RingCalls& next_;
};

sim::Faults reporting(bool copied) {
  sim::Faults faults = sim::Faults::none();
  faults.copied = copied ? 1 : 0;
  return faults;
}

struct Scene {
  explicit Scene(const sim::Faults& faults, std::uint32_t featuresOff = 0)
      : kernel(testSeed(), faults),
        calls(std::make_unique<CountingCalls>()),
        loop(options(featuresOff)) {
    loop.connect(client, server);
  }

  static ReactorOptions options(std::uint32_t featuresOff) {
    ReactorOptions options;
    options.uring.zeroCopyFrom = 64 * kKiB;
    options.uring.featuresOff = featuresOff;
    return options;
  }

  // Sends so many bytes as one run, and waits until they have come and all is quiet.
  void send(std::size_t size) {
    const std::size_t expected = server.received.size() + size;
    client.transport().write(Buffer(std::string(size, 'x')));
    loop.runUntil([&] { return server.received.size() == expected; }, "the bytes");
    loop.settle();
  }

  // Whether a send of so many bytes goes without a copy.
  bool withoutCopy(std::size_t size) {
    const int before = calls->notCopied;
    send(size);
    return calls->notCopied > before;
  }

  sim::Kernel kernel;
  std::unique_ptr<CountingCalls> calls;
  Recorder client, server;
  ReactorFixture loop;
};

}  // namespace

BOOST_AUTO_TEST_CASE(only_sends_from_the_threshold_on_go_without_a_copy) {
  Scene scene(reporting(false));

  BOOST_TEST(!scene.withoutCopy(64 * kKiB - 1));
  BOOST_TEST(scene.withoutCopy(64 * kKiB));
}

BOOST_AUTO_TEST_CASE(a_report_of_a_copy_doubles_the_threshold) {
  Scene scene(reporting(true));

  BOOST_TEST(scene.withoutCopy(64 * kKiB));
  BOOST_TEST(!scene.withoutCopy(64 * kKiB));
  BOOST_TEST(scene.withoutCopy(128 * kKiB));
}

BOOST_AUTO_TEST_CASE(where_bytes_are_always_copied_it_ends_for_good) {
  Scene scene(reporting(true));

  for (int i = 0; i < 20; ++i) scene.send(1024 * kKiB);

  BOOST_TEST(scene.calls->notCopied == 5);  // 64, 128, 256, 512 and 1024 KiB were too little.
}

BOOST_AUTO_TEST_CASE(where_bytes_are_not_copied_smaller_sends_follow) {
  Scene scene(reporting(false));

  for (int i = 0; i < 10; ++i) scene.send(64 * kKiB);

  BOOST_TEST(scene.withoutCopy(16 * kKiB));
  BOOST_TEST(!scene.withoutCopy(16 * kKiB - 1));
}

BOOST_AUTO_TEST_CASE(connections_learn_each_for_itself) {
  Scene scene(reporting(true));
  for (int i = 0; i < 20; ++i) scene.send(1024 * kKiB);
  Recorder otherClient, otherServer;
  scene.loop.connect(otherClient, otherServer);
  const int before = scene.calls->notCopied;

  otherClient.transport().write(Buffer(std::string(64 * kKiB, 'x')));
  scene.loop.runUntil([&] { return otherServer.received.size() == 64 * kKiB; }, "the bytes");

  BOOST_TEST(scene.calls->notCopied == before + 1);
  scene.loop.destroy();  // Before the recorders.
}

BOOST_AUTO_TEST_CASE(without_the_kernels_feature_every_send_copies) {
  Scene scene(reporting(false), uring::kZeroCopySend);

  scene.send(1024 * kKiB);

  BOOST_TEST(scene.calls->notCopied == 0);
  BOOST_TEST(scene.calls->copied > 0);
}

BOOST_AUTO_TEST_CASE(more_than_may_be_in_flight_are_sent_with_a_copy) {
  sim::Faults late = reporting(false);
  late.delay = 0.9;
  Scene scene(late);

  for (int i = 0; i < 500; ++i) {
    scene.client.transport().write(Buffer(std::string(64 * kKiB, 'x')));
    scene.loop.turn();
  }
  scene.loop.runUntil([&] { return scene.server.received.size() == 500 * 64 * kKiB; }, "all");

  BOOST_TEST(scene.calls->notCopied > 0);
}

// The simulated kernel ends the program if bytes that it still looks at change or go.
BOOST_AUTO_TEST_CASE(bytes_are_kept_for_the_kernel_when_the_connection_goes) {
  sim::Faults late = reporting(false);
  late.delay = 0.9;
  Scene scene(late);
  bool lost = false;
  scene.client.onLost = [&](std::error_code) { lost = true; };

  for (int i = 0; i < 4; ++i) scene.client.transport().write(Buffer(std::string(64 * kKiB, 'x')));
  scene.loop.runUntil([&] { return !scene.server.received.empty(); }, "the first bytes");
  scene.client.transport().abortConnection();
  scene.loop.runUntil([&] { return lost; }, "the end");
  scene.loop.settle();

  BOOST_TEST(scene.calls->notCopied > 0);
}

BOOST_AUTO_TEST_SUITE_END()
