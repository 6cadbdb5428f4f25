// relay(): it copies where splicing cannot go on, and nothing is lost, mixed or cut short by that.
#include <penstock/runtime/core/reactor_base.h>
#include <penstock/runtime/system/pipe_pool.h>
#include <penstock/tests/support/preconditions.h>
#include <penstock/tests/support/splicing_calls.h>
#include <penstock/tests/transports/relaying.h>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <vector>

using namespace penstock;
using namespace penstock::testing;
using boost::unit_test::precondition;

BOOST_AUTO_TEST_SUITE(relay_copying_again_test)

namespace {

constexpr std::size_t kBulk = 4 << 20;
constexpr std::array kForbidden{EPERM, ENOSYS, EACCES};
constexpr std::array kRefused{EINVAL, ENOMEM, EMFILE, ENFILE};

// Which of the calls fails.
constexpr std::array kCalls{&Splicing::pipe, &Splicing::fill, &Splicing::drain};

// Both directions carry bulk, and both ends are clean.
void checkAllPasses(Relaying& test) {
  test.left.send(kBulk);
  test.right.send(kBulk);
  test.waitForAll();
  test.left.transport().loseWriteConnection();
  test.waitForLosses();

  for (const Recorder* end : {&test.a, &test.b}) BOOST_TEST(!end->why);
  for (const RelayPeer* peer : {&test.left, &test.right}) BOOST_TEST(!peer->why);
}

// One byte of urgent data, once all before it has left.
void sendUrgent(Relaying& test, RelayPeer& from) {
  test.loop.runUntil([&] { return from.transport().bufferedBytes() == 0; }, "what is before it");
  BOOST_REQUIRE(::send(from.transport().descriptor(), "!", 1, MSG_OOB | MSG_NOSIGNAL) == 1);
}

// Until the next pipe has to be made.
std::vector<Pipe> takeAllPipes(Reactor& reactor, Splicing& calls) {
  std::vector<Pipe> pipes;
  calls.pipe = -EMFILE;
  Pipe pipe;
  while (ReactorBase::of(reactor).pipes().take(pipe) == 0) pipes.push_back(std::move(pipe));
  return pipes;
}

}  // namespace

// --- Refusals -----------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(what_a_filter_forbids_is_tried_once_and_all_bytes_arrive) {
  for (const auto call : kCalls) {
    for (const int error : kForbidden) {
      BOOST_TEST_CONTEXT("errno " << error) {
        Splicing& calls = splicing();
        calls.*call = -error;
        Relaying test;
        test.open(Mode::kCopied);

        checkAllPasses(test);

        // A pipe, a splice into it, which may find nothing at first, and one out of it.
        BOOST_TEST(calls.calls <= 8U);
        BOOST_TEST(!ReactorBase::of(test.loop.reactor()).pipes().usable());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_refused_for_now_is_copied) {
  for (const auto call : kCalls) {
    for (const int error : kRefused) {
      BOOST_TEST_CONTEXT("errno " << error) {
        Splicing& calls = splicing();
        calls.*call = -error;
        Relaying test;
        test.open(Mode::kCopied);

        checkAllPasses(test);

        BOOST_TEST(calls.calls < 20U);
        BOOST_TEST(ReactorBase::of(test.loop.reactor()).pipes().usable());
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_relay_that_could_not_splice_does_so_later) {
  Splicing& calls = splicing();
  calls.pipe = -EMFILE;
  Relaying test;
  test.open(Mode::kCopied);
  test.left.send(kBulk);
  test.waitForAll();
  BOOST_TEST(!test.isSpliced(test.b));

  calls.pipe = 0;
  test.left.send(8 * kBulk);
  test.waitForAll();

  BOOST_TEST(test.isSpliced(test.b));
  BOOST_TEST(calls.filled > kBulk);
}

BOOST_AUTO_TEST_CASE(a_spliced_relay_goes_on_when_no_pipe_can_be_had) {
  Splicing& calls = splicing();
  Relaying test;
  test.open(Mode::kSpliced);
  const std::vector<Pipe> taken = takeAllPipes(test.loop.reactor(), calls);

  test.left.send(100);
  test.waitForAll();
  test.right.send(kBulk);
  test.waitForAll();

  BOOST_TEST(!test.isSpliced(test.b));
}

BOOST_AUTO_TEST_CASE(what_a_pipe_holds_comes_before_what_is_copied_then) {
  for (const int error : {EPERM, EINVAL}) {
    for (const Joint joint : {Joint::kTcp, Joint::kUnix}) {
      Splicing& calls = splicing();
      Relaying test;
      test.open(Mode::kSpliced, joint, joint);
      test.fillUp();
      test.right.send(kBulk);

      calls.drain = -error;
      test.right.transport().resumeProducing();
      test.waitForAll();

      BOOST_TEST(!test.isSpliced(test.b));
      checkAllPasses(test);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_close_waits_for_what_a_pipe_holds_when_it_must_be_copied) {
  Splicing& calls = splicing();
  Relaying test;
  test.open(Mode::kSpliced);
  const std::uint64_t taken = test.holdSome();

  test.b.transport().stopConsuming();
  calls.drain = -EPERM;
  test.right.transport().resumeProducing();
  test.waitForLosses();

  BOOST_TEST(!test.right.why);
  BOOST_TEST(test.right.pattern.good());
  BOOST_TEST(test.right.pattern.count() == taken);
}

// --- A truncated stream never ends cleanly ------------------------------------------------------

BOOST_AUTO_TEST_CASE(an_error_of_splicing_that_says_nothing_else_resets_both_peers) {
  for (const auto call : {&Splicing::fill, &Splicing::drain}) {
    Splicing& calls = splicing();
    Relaying test;
    test.open(Mode::kSpliced);

    calls.*call = -EIO;
    test.left.send(1000);
    test.waitForLosses();

    for (const RelayPeer* peer : {&test.left, &test.right}) {
      BOOST_TEST((peer->why == std::errc::connection_reset));
    }
  }
}

// --- Urgent data --------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(urgent_data_is_passed_by_and_all_else_arrives, *precondition(onRealKernel)) {
  splicing();
  Relaying test;
  test.open(Mode::kSpliced);

  for (RelayPeer* from : {&test.left, &test.right}) {
    for (const std::size_t count : {0U, 1U, 1000U, 100'000U}) {
      from->send(count);
      sendUrgent(test, *from);
      from->send(count + 7);
      test.waitForAll();
    }
  }
  checkAllPasses(test);
}

BOOST_AUTO_TEST_CASE(urgent_data_before_the_end_does_not_hide_it, *precondition(onRealKernel)) {
  splicing();
  for (const std::size_t behind : {0U, 10U, 100'000U}) {
    Relaying test;
    test.open(Mode::kSpliced);

    test.left.send(100);
    sendUrgent(test, test.left);
    test.left.send(behind);
    test.left.transport().loseWriteConnection();
    test.loop.runUntil([&] { return test.right.heard("readLost"); }, "the end of input");

    BOOST_TEST(test.right.hasAllOf(test.left));
    test.waitForLosses();
    BOOST_TEST(!test.right.why);
  }
}

BOOST_AUTO_TEST_CASE(a_relay_is_spliced_again_behind_urgent_data, *precondition(onRealKernel)) {
  Splicing& calls = splicing();
  Relaying test;
  test.open(Mode::kSpliced);
  sendUrgent(test, test.left);
  test.left.send(10);
  test.waitForAll();
  BOOST_TEST(!test.isSpliced(test.b));

  const std::uint64_t before = calls.filled;
  test.left.send(2 * kBulk);
  test.waitForAll();

  BOOST_TEST(test.isSpliced(test.b));
  BOOST_TEST(calls.filled > before);
}

// --- Pipes --------------------------------------------------------------------------------------

BOOST_AUTO_TEST_CASE(a_pipe_that_may_not_grow_carries_bulk_all_the_same) {
  Splicing& calls = splicing();
  calls.enlarge = -EPERM;
  Relaying test;
  test.open(Mode::kSpliced);

  checkAllPasses(test);

  BOOST_TEST(calls.filled >= kBulk);
}

BOOST_AUTO_TEST_CASE(pipes_stay_as_small_as_they_are_made_for_small_messages) {
  Splicing& calls = splicing();
  Relaying test;
  test.open(Mode::kSpliced);
  const std::vector<Pipe> used = takeAllPipes(test.loop.reactor(), calls);
  calls.pipe = 0;
  const std::size_t before = calls.enlarged;

  for (int i = 0; i < 20; ++i) {
    test.left.send(1000);
    test.waitForAll();
  }

  BOOST_TEST(test.isSpliced(test.b));
  BOOST_TEST(calls.enlarged == before);
}

BOOST_AUTO_TEST_CASE(only_so_many_pipes_of_a_loop_are_large) {
  Splicing& calls = splicing();
  ReactorFixture loop;
  PipePool& pool = ReactorBase::of(loop.reactor()).pipes();
  std::vector<Pipe> pipes(2 * PipePool::kMostLarge);

  for (Pipe& pipe : pipes) {
    BOOST_REQUIRE(pool.take(pipe) == 0);
    pool.enlarge(pipe);
  }
  BOOST_TEST(calls.enlarged == PipePool::kMostLarge);

  pool.drop(std::move(pipes.front()));
  pool.enlarge(pipes.back());
  BOOST_TEST(calls.enlarged == PipePool::kMostLarge + 1);
}

BOOST_AUTO_TEST_CASE(pipes_that_nobody_uses_are_closed) {
  splicing();
  ReactorFixture loop;
  PipePool& pool = ReactorBase::of(loop.reactor()).pipes();
  const std::size_t before = openDescriptors();
  std::vector<Pipe> pipes(3);
  for (Pipe& pipe : pipes) BOOST_REQUIRE(pool.take(pipe) == 0);

  for (Pipe& pipe : pipes) pool.give(std::move(pipe));
  BOOST_TEST(openDescriptors() == before + 6);

  loop.runUntil([&] { return openDescriptors() == before; }, "the pipes to be closed");
  BOOST_TEST(!loop->timeUntilDue().has_value());  // And then the loop sleeps.
}

BOOST_AUTO_TEST_CASE(two_reactors_share_no_pipe) {
  splicing();
  ReactorFixture one, other;
  Pipe given, taken;
  BOOST_REQUIRE(ReactorBase::of(one.reactor()).pipes().take(given) == 0);
  const int fd = given.readEnd.get();
  ReactorBase::of(one.reactor()).pipes().give(std::move(given));

  BOOST_REQUIRE(ReactorBase::of(other.reactor()).pipes().take(taken) == 0);

  BOOST_TEST(taken.readEnd.get() != fd);
}

// The parent's relay holds bytes in a pipe, and its pool another pipe, when the child is made.
BOOST_AUTO_TEST_CASE(no_bytes_cross_between_a_parent_and_its_forked_child,
                     *precondition(onRealKernel)) {
  splicing();
  Relaying test;
  test.open(Mode::kSpliced);
  test.fillUp();
  test.right.send(kBulk);
  test.waitFor(test.left, test.right);

  const pid_t child = ::fork();
  if (child == 0) {
    Relaying own;
    own.open(Mode::kCopied);
    own.left.send(kBulk);
    own.right.send(kBulk);
    own.waitForAll();
    ::_exit(own.right.hasAllOf(own.left) && own.left.hasAllOf(own.right) ? 0 : 1);
  }
  test.right.transport().resumeProducing();
  test.waitForAll();
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);

  BOOST_TEST(status == 0);
  checkAllPasses(test);
}

BOOST_AUTO_TEST_SUITE_END()
